"""Checks the house rules that a machine can see: floors, caps, names, who may call what.

    python3 tools/floors.py [ROOT]      one line for each violation; exit 1 when there is one
    python3 tools/floors.py --self-test plants each kind of violation and checks that it is found

The rules are stated in CONTRIBUTING.md under "Floors and caps".
"""
import os
import re
import sys
import tempfile

# Room -> floor. A file includes its own room and rooms on lower floors.
FLOOR = {
    "base": 0,
    "textbook": 1, "kernels": 1, "formats": 1,
    "ops": 2,
    "model": 3, "data": 3,
    "train": 4, "explain": 4, "interop": 4, "distributed": 4,
}
NOT_EVEN_BELOW = {("ops", "textbook")}  # the textbook judges the ops, so they must not share code
# Public header -> the room whose floor it stands on.
PUBLIC = {
    "base.h": "base", "textbook.h": "textbook", "layers.h": "ops", "model.h": "model",
    "data.h": "data", "train.h": "train", "explain.h": "explain", "interop.h": "interop",
}
PUBLIC_ONLY = ("src/cli/", "examples/", "web/")  # these see what every user sees
MAX_LINES = 600
SPDX = "/* SPDX-License-Identifier: MIT */"
# A library of others is included by one file, so that it can be replaced in an afternoon.
OTHERS = ("pthreadpool.h", "jansson.h", "hdf5.h", "zip.h", "zlib.h", "png.h", "jpeglib.h",
          "mpi.h", "protobuf-c.h", "exif-data.h", "curl.h", "sha2.h", "archive.h")
# The library never prints, exits, reads the environment, sets the locale or handles signals.
CLI_ONLY = re.compile(
    r"\b(f?printf|vf?printf|f?puts|f?putc|putchar|perror|exit|_exit|_Exit|quick_exit|abort|getenv"
    r"|secure_getenv|setlocale|signal|sigaction)\s*\(|\b(stdout|stderr|stdin)\b")
OWN_PATH = re.compile(r"(?<![\w.$}])/(?:work|home|root|Users)/\w")
SAME_NAME_ALLOWED = {"README.md", "CMakeLists.txt", ".gitignore", "index.html", "package.json"}
SKIP_FOLDERS = re.compile(r"\.git$|\.cache$|build|node_modules$|dist$|__pycache__$")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def files_of(root):
    """Every file below root, as paths relative to it with '/', build folders left out."""
    for folder, folders, names in os.walk(root):
        if "CMakeCache.txt" in names:  # a build folder by another name
            folders.clear()
            continue
        folders[:] = sorted(f for f in folders if not SKIP_FOLDERS.match(f))
        for name in sorted(names):
            path = os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")
            if os.path.isfile(os.path.join(root, path)) and path != ".git":
                yield path


def room_of(path):
    """The room a file belongs to; "" outside src and include."""
    part = path.split("/")
    if part[0] == "src" and len(part) > 2:
        return part[1]
    if part[:2] == ["include", "fovea"]:
        return PUBLIC.get(part[2], "fovea.h" if part[2] == "fovea.h" else "?")
    return ""


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def without_noise(text):
    """C text with comments, strings and characters blanked, line numbers kept."""
    return NOISE.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def include_problem(path, target):
    """Why the file at path may not include "target", or None."""
    part = target.split("/")
    if path.startswith(PUBLIC_ONLY):
        own = path.split("/")[-2] + "/"
        if part[0] == "fovea" or len(part) == 1 or target.startswith(own):
            return None
        return "may include public headers only"
    here = room_of(path)
    if not here or here == "fovea.h":
        return None  # tests and tools may look anywhere; fovea.h includes all
    if path.startswith("include/") and part[0] != "fovea":
        return "a public header may include public headers only"
    there = here if len(part) == 1 else room_of(("include/" if part[0] == "fovea" else "src/") + target)
    if here not in FLOOR:
        return "stands on no floor; give its room one in tools/floors.py"
    if there not in FLOOR:
        return f'"{target}" is on no floor below'
    if here == there:
        return None
    if FLOOR[there] < FLOOR[here] and (here, there) not in NOT_EVEN_BELOW:
        return None
    return f"floor {FLOOR[here]} ({here}) may not include floor {FLOOR[there]} ({there})"


def check_c(path, text, users):
    """Problems of one C file; users collects which files include a library of others."""
    in_library = path.startswith(("src/", "include/")) and not path.startswith("src/cli/")
    if not text.startswith(SPDX):
        yield path, 1, f"the first line should be {SPDX}"
    for match in INCLUDE.finditer(text):
        kind, target = match.groups()
        line = line_of(text, match.start())
        if kind == '"':
            problem = include_problem(path, target)
            if problem:
                yield path, line, f'include "{target}": {problem}'
        if path.startswith("src/") and target.split("/")[-1] in OTHERS:
            users.setdefault(target.split("/")[-1], {}).setdefault(path, line)
    if in_library:
        for match in CLI_ONLY.finditer(without_noise(text)):
            word = match.group().rstrip("( \t\n")
            yield path, line_of(text, match.start()), f"{word}: only src/cli may use it"


def check(root):
    """All problems below root, as (path, line, text)."""
    by_name, users = {}, {}
    for path in files_of(root):
        name = path.split("/")[-1]
        if name not in SAME_NAME_ALLOWED and not path.startswith("recipes/"):
            if name in by_name:
                yield path, 1, f"the name is taken by {by_name[name]}; names are unique in the tree"
            by_name.setdefault(name, path)
        with open(os.path.join(root, path), "rb") as file:
            data = file.read()
        if b"\0" in data:
            continue
        text = data.decode("utf-8", "replace")
        for match in OWN_PATH.finditer(text):
            yield path, line_of(text, match.start()), "a path of somebody's own machine"
        lines = text.count("\n")
        if path.endswith((".c", ".h", ".py", ".sh")) and lines > MAX_LINES:
            yield path, lines, f"{lines} lines; the cap is {MAX_LINES}"
        if path.endswith((".c", ".h")):
            yield from check_c(path, text, users)
    for header, where in sorted(users.items()):
        for path in sorted(where)[1:]:
            yield path, where[path], f"<{header}> is included by {sorted(where)[0]} already"


# ---- self-test: (path, text, what the complaint must contain, or None for no complaint) ----
C = SPDX + "\n"
PLANTED = [
    ("src/base/a.c", '#include "base/base_internal.h"\n', None),
    ("src/base/b.c", '#include "ops/op.h"\n', "floor 0 (base) may not include floor 2 (ops)"),
    ("src/ops/c.c", '#include "textbook/t.h"\n', "floor 2 (ops) may not include floor 1"),
    ("src/ops/d.c", '#include "kernels/kernels.h"\n#include "fovea/layers.h"\n', None),
    ("src/ops/e.c", '#include "fovea/model.h"\n', "may not include floor 3 (model)"),
    ("src/model/f.c", '#include "fovea/data.h"\n', "floor 3 (model) may not include floor 3 (data)"),
    ("src/model/g.c", '  #  include "fovea/fovea.h"\n', "is on no floor below"),
    ("src/train/h.c", '#include "model/m.h"\n#include "data/d.h"\n#include "train/t.h"\n', None),
    ("src/new/i.c", '#include "base/base_internal.h"\n', "stands on no floor"),
    ("src/cli/j.c", '#include "cli/cli.h"\n#include "fovea/fovea.h"\nint x(void) { exit(1); }\n', None),
    ("src/cli/k.c", '#include "base/base_internal.h"\n', "public headers only"),
    ("examples/l.c", '#include "model/model_internal.h"\n', "public headers only"),
    ("include/fovea/train.h", '#include "train/train_internal.h"\n', "public headers only"),
    ("include/fovea/base.h", '#include "fovea/model.h"\n', "floor 0 (base) may not include floor 3"),
    ("include/fovea/fovea.h", '#include "fovea/train.h"\n', None),
    ("src/base/m.c", 'int x(void) { return printf("a"); }\n', "printf: only src/cli"),
    ("src/base/n.c", '/* exit(1) */ // abort()\nchar *s = "getenv(", c = \'"\';\n', None),
    ("src/base/o.c", "void x(void) { abort (); }\n", "abort: only src/cli"),
    ("src/base/p.c", "const char *s = getenv(name);\n", "getenv: only src/cli"),
    ("src/base/q.c", "int x(void) { return snprintf(a, 1, b) + format_exit(2); }\n", None),
    ("src/formats/r.c", "#include <zlib.h>\n", None),
    ("src/formats/s.c", "#include <zlib.h>\n", "<zlib.h> is included by src/formats/r.c already"),
    ("tests/t.c", '#include "model/model_internal.h"\n#include <zlib.h>\n', None),
    ("src/base/u.c", "\n" * MAX_LINES, "601 lines; the cap is 600"),
    ("src/base/v.c", "\n" * (MAX_LINES - 1), None),
    ("tools/w.py", "#\n" * (MAX_LINES + 1), "601 lines"),
    ("docs/x.md", "see /ho" + "me/me/notes", "somebody's own machine"),
    ("docs/y.md", "see framework/home/page and https://example.org/home/ow", None),
    ("tests/twice.c", "", None),
    ("tools/twice.c", "", "the name is taken by tests/twice.c"),
    ("recipes/w.py", "", None),
    ("docs/README.md", "", None),
    ("tests/README.md", "", None),
]


def self_test():
    bad = 0
    with tempfile.TemporaryDirectory() as root:
        planted = PLANTED + [("src/base/no_spdx.c", "int x;\n", "first line should be")]
        for path, text, _ in planted:
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write((C if path.endswith((".c", ".h")) and "no_spdx" not in path else "") + text)
        found = {}
        for path, _, what in check(root):
            found.setdefault(path, []).append(what)
        for path, _, expected in planted:
            said = found.get(path, [])
            ok = said == [] if expected is None else len(said) == 1 and expected in said[0]
            if not ok:
                bad += 1
                print(f"self-test: {path}: expected {expected!r}, got {said}")
    print(f"self-test: {len(planted) - bad} of {len(planted)} planted files judged rightly")
    return bad != 0


def main(argv):
    if argv[1:] == ["--self-test"]:
        return self_test()
    root = argv[1] if len(argv) > 1 else os.path.join(os.path.dirname(__file__), "..")
    problems = list(check(root))
    for path, line, what in problems:
        print(f"{path}:{line}: {what}")
    print(f"floors: {len(problems)} problems" if problems else "floors: the rules hold")
    return problems != []


if __name__ == "__main__":
    sys.exit(main(sys.argv))
