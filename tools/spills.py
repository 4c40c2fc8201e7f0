#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does every tile kernel keep its sums in registers?

usage: spills.py OBJDUMP OBJECT...

Disassembles the kernels ISA_rows_M_V, ISA_pairs_M_V, ISA_longs_M_V, ISA_runs_M_V, ISA_copying_M_V, ISA_spread_M_V and ISA_planes_M_V of each object (x86-64 or aarch64), takes the innermost
loop that multiplies, and demands of each step M*V products (with as many sums, where nothing is fused), M broadcasts and no
vector on the stack. A kernel that fails is still right, but slow.
Of one row, clang likes to keep a copy of the sums on the stack that the loop does not read, and passes the operand of the
smallest kernel, 1 by 1, through it: the sums themselves stay in their registers. (No kernel of one row is asked to copy.)
Of the kernels ISA_lines_L_P_V, L lines of P pixels, it takes each innermost loop: L*P*V products for each of T taps, 1 to 3, and
as many broadcasts as they meet pixels, L*(P+T-1).
Depthwise kernels, ISA_depthwise_TAPS_STEP_OUTPUTS, broadcast nothing; of a single output or row, compilers arrange the loop as they like.
"""
import re
import subprocess
import sys

KERNEL = re.compile(r"^[0-9a-f]+ <(\w+_(?:rows|pairs|longs|runs|copying|spread|spreadpairs|planes)_(\d+)_(\d+))>:$")
DEPTHWISE = re.compile(r"^[0-9a-f]+ <(\w+_depthwise_(?:pair_)?(\d)_\d_([2-9]))>:$")
LINES = re.compile(r"^[0-9a-f]+ <(\w+_lines_(\d+)_(\d+)_(\d+))>:$")
LINE = re.compile(r"^\s*([0-9a-f]+):\s+(.*)$")
JUMP = re.compile(r"^(?:j\w+|b\.\w+|cbn?z \w+,|tbn?z \w+, \S+,) ([0-9a-f]+)")


def innermost(lines):
    """Instruction texts of the shortest loop that holds a product; None without one."""
    place = {address: i for i, (address, _) in enumerate(lines)}
    best = None
    for i, (_, text) in enumerate(lines):
        jump = JUMP.match(text)
        start = place.get(int(jump[1], 16)) if jump else None
        if start is None or start > i:
            continue
        body = [t for _, t in lines[start:i + 1]]
        if any(map(is_product, body)) and (best is None or len(body) < len(best)):
            best = body
    return best


def innermost_all(lines):
    """As innermost, of every loop that holds a product but no other loop."""
    place = {address: i for i, (address, _) in enumerate(lines)}
    loops = []
    for i, (_, text) in enumerate(lines):
        jump = JUMP.match(text)
        start = place.get(int(jump[1], 16)) if jump else None
        if start is not None and start <= i and any(is_product(t) for _, t in lines[start:i + 1]):
            loops.append((start, i))
    return [[t for _, t in lines[a:b + 1]] for a, b in loops
            if not any((c, d) != (a, b) and a <= c and d <= b for c, d in loops)]


def is_product(text):
    return text.startswith(("vfmadd", "mulps", "vmulps", "fmla", "fmul v"))


def is_fused(text):
    return text.startswith(("vfmadd", "fmla"))


def takes_lane(text):
    """aarch64: of a vector of several floats, loaded at once"""
    return is_product(text) and re.search(r"\.s\[\d\]", text)


def is_sum(text):
    return text.startswith(("addps", "vaddps", "fadd v"))


def is_broadcast(text):
    """A broadcast load, or one within a product; SSE2's is a shuffle of a loaded float."""
    return text.startswith(("vbroadcastss", "shufps $0x0", "ldr s", "ld1r")) or "{1to" in text


def is_spill(text):
    return re.search(r"[xyz]mm.*\(%rsp|\(%rsp.*[xyz]mm|^\w+ [qs]\d+.*\[sp", text)


def is_store(text):
    return re.search(r"mm\d+,.*\(%rsp|^st", text)


def complaints(name, rows, vectors, lines):
    has_broadcasts = "depthwise" not in name
    body = innermost(lines)
    if body is None:
        return ["no loop"] if rows > 1 else []
    products = sum(map(is_product, body))
    broadcasts = sum(map(is_broadcast, body))
    expected = products // vectors
    found = []
    if products == 0 or products % (rows * vectors):
        found.append(f"{products} products, expected {rows * vectors} a step")
    elif not any(map(is_fused, body)) and sum(map(is_sum, body)) != products:
        found.append(f"{sum(map(is_sum, body))} sums, expected {products}")
    elif (has_broadcasts and broadcasts != expected
          and not (broadcasts < expected and any(map(takes_lane, body)))):
        found.append(f"{broadcasts} broadcasts, expected {expected}")
    if rows * vectors > 1 and not (rows == 1 and "copying" in name):
        found += [f"vector on the stack: {t}" for t in body
                  if is_spill(t) and not (rows == 1 and is_store(t))]
    return found


def line_complaints(count, pixels, vectors, lines):
    bodies = innermost_all(lines)
    found = [f"{len(bodies)} loops, expected 3"] if len(bodies) != 3 else []
    taps_left = {1, 2, 3}
    for body in bodies:
        products, broadcasts = sum(map(is_product, body)), sum(map(is_broadcast, body))
        taps = products // (count * pixels * vectors)
        if products % (count * pixels * vectors) or taps not in taps_left:
            found.append(f"{products} products, expected {count * pixels * vectors} a tap")
        elif broadcasts != count * (pixels + taps - 1):
            found.append(f"{broadcasts} broadcasts, expected {count * (pixels + taps - 1)}")
        taps_left.discard(taps)
        found += [f"vector on the stack: {t}" for t in body if is_spill(t)]
    return found


def kernels(objdump, path):
    """(name, rows, vectors, [(address, text)]) of each kernel of one object."""
    text = subprocess.run([objdump, "-d", "--no-show-raw-insn", path], check=True, text=True,
                          capture_output=True).stdout
    current = None
    for line in text.splitlines():
        head = KERNEL.match(line)
        depthwise = DEPTHWISE.match(line)
        of_lines = LINES.match(line)
        if of_lines:
            current = (of_lines[1], tuple(map(int, of_lines.groups()[1:3])), int(of_lines[4]), [])
        elif head:
            current = (head[1], int(head[2]), int(head[3]), [])
        elif depthwise:
            current = (depthwise[1], int(depthwise[3]), max(1, int(depthwise[2])), [])
        elif not line.strip():
            if current:
                yield current
            current = None
        elif current and (code := LINE.match(line)):
            current[3].append((int(code[1], 16), re.sub(r"\s+", " ", code[2])))
    if current:
        yield current


def main():
    failures = count = 0
    for path in sys.argv[2:]:
        for name, rows, vectors, lines in kernels(sys.argv[1], path):
            count += 1
            found = (line_complaints(*rows, vectors, lines) if isinstance(rows, tuple)
                     else complaints(name, rows, vectors, lines))
            for text in found:
                failures += 1
                print(f"{path}: {name}: {text}")
    print(f"{count} kernels, {failures} complaints")
    return failures > 0 or count == 0


if __name__ == "__main__":
    sys.exit(main())
