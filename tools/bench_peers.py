#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fovea against PyTorch, ONNX Runtime and oneDNN on this machine: the peer part of `make bench`.

usage: bench_peers.py [--build build] [--rounds 5] [--seconds 0.5] [--threads 1] [--only WORD]... [--skip PART]...
                      [--markdown] [--into FILE] [--json FILE]

    --only WORD   networks and layers whose name holds one of these words
    --skip PART   setup, networks or layers
    --markdown    tables in Markdown instead of text; --into FILE puts them between the marks of docs/performance.md
    --json FILE   every figure of every round

Everything is strict float32 on the same number of threads. Networks are the recipes, on both sides from the same file; a
training step is forward, loss, backward and Adam. All that are compared run in turns, in another order each round; a ratio
is taken within a round, against the layout of the peer that is faster over all rounds, and its median is printed with the
least and the most. Fovea measures the processor's multiply-add peak between its own steps. A peer that is missing is named
and left out.
"""
import argparse
import contextlib
import datetime
import glob
import io
import json
import math
import os
import statistics
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# recipe, batch, goal of training against PyTorch, goal of prediction against ONNX Runtime
NETWORKS = [("lenet5", 1, 12, 1.5), ("lenet5", 64, 4, 1.4), ("keras_mnist", 128, 2.5, 1.1), ("signs", 64, 4, 3),
            ("happy", 16, 4, 1.3), ("resnet20", 32, 1.6, 1.05), ("vgg16_cifar", 32, 1.3, 1.15)]
LAYOUTS = ("channels_first", "channels_last")
TORCH_VERSION = """import re, torch
built = re.search(r"DNN v([0-9.]+)", torch.__config__.show())
blas = re.search(r"lib(openblas|mkl|blis|atlas|blas)[^/]*$", open("/proc/self/maps").read(), re.M)
print(torch.__version__, f"(oneDNN {built[1] if built else 'none'}, {blas[0] if blas else 'no BLAS'})")"""
PASSES = {"forward": "forward", "dinput": "input gradient", "dweights": "weight gradient"}


def say(text):
    print(text, file=sys.stderr, flush=True)


class Worker:
    """A peer's process: a line of seconds in, a line of JSON out."""

    def __init__(self, command, env):
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.hello = json.loads(self.process.stdout.readline() or "null")
        if self.hello is None:
            raise OSError(f"{os.path.basename(command[1])} did not start")

    def ask(self, seconds):
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Bench:
    def __init__(self, args):
        self.args = args
        self.peers = os.path.join(args.build, "peers")
        self.fovea = os.path.join(args.build, "fovea")
        root = os.path.join(self.peers, "root")
        folders = (glob.glob(root + "/usr/lib/*/openblas-pthread") + glob.glob(root + "/usr/lib/*-linux-gnu*")
                   + [root + "/usr/lib"] + glob.glob(root + "/lib/*-linux-gnu*"))
        threads = str(args.threads)
        self.env = dict(os.environ, LD_LIBRARY_PATH=":".join(folders), OMP_NUM_THREADS=threads, OPENBLAS_NUM_THREADS=threads,
                        PYTHONPATH=root + "/usr/lib/python3/dist-packages", PYTHONDONTWRITEBYTECODE="1")
        self.python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
        self.versions = {}
        self.torch = self.has("PyTorch", [self.python, "-c", TORCH_VERSION])
        node = os.path.join(self.peers, "node")
        self.onnx = self.torch and self.has("ONNX Runtime", ["node", "-p", "require('%s/package.json').version" % os.path.abspath(
            node + "/node_modules/onnxruntime-node")])

    def has(self, name, command):
        try:
            done = subprocess.run(command, env=self.env, capture_output=True, text=True)
        except OSError as error:
            done = subprocess.CompletedProcess(command, 1, "", str(error))
        if done.returncode == 0:
            self.versions[name] = done.stdout.strip()
            return True
        say(f"{name} is missing: {(done.stderr.strip().splitlines() or ['it does not run'])[-1]}")
        return False

    def wanted(self, name):
        return not self.args.only or any(word in name for word in self.args.only)

    # ---- networks ----

    def ask_fovea(self, recipe, mode, batch):
        command = [self.fovea, "bench", recipe, "--mode", mode, "--batch", str(batch), "--threads", str(self.args.threads),
                   "--seconds", str(self.args.seconds), "--json"]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def contenders(self, recipe, batch):
        """Name -> (how to measure once, worker or None)."""
        path, threads = os.path.join(TOP, "recipes", recipe + ".py"), str(self.args.threads)
        script = os.path.join(TOP, "tools", "bench_torch.py")
        found = {"fovea train": (lambda: self.ask_fovea(recipe, "train", batch), None),
                 "fovea infer": (lambda: self.ask_fovea(recipe, "infer", batch), None)}
        for layout in LAYOUTS if self.torch else ():
            worker = Worker([self.python, script, "train", path, str(batch), layout, threads], self.env)
            found[layout] = (lambda w=worker: w.ask(self.args.seconds), worker)
            self.check_parameters(recipe, worker.hello["parameters"])
        if self.onnx:
            model = os.path.join(self.peers, f"{recipe}-{batch}.onnx")
            subprocess.run([self.python, script, "export", path, str(batch), model], env=self.env, check=True)
            worker = Worker(["node", os.path.join(TOP, "tools", "bench_onnx.mjs"), os.path.join(self.peers, "node"), model,
                             threads], dict(os.environ))
            found["onnx"] = (lambda w=worker: w.ask(self.args.seconds), worker)
        return found

    def check_parameters(self, recipe, theirs):
        text = subprocess.run([self.fovea, "summary", recipe, "--json"], check=True, capture_output=True, text=True).stdout
        ours = json.loads(text)["trainable_params"]
        if ours != theirs:
            raise ValueError(f"{recipe}: {ours} trained parameters here, {theirs} in PyTorch")

    def network(self, recipe, batch):
        """Name of the contender -> its answers, one a round."""
        found = self.contenders(recipe, batch)
        names, answers = list(found), {name: [] for name in found}
        try:
            for turn in range(self.args.rounds):
                for name in names[turn % len(names):] + names[:turn % len(names)]:
                    answers[name].append(found[name][0]())
        finally:
            for _, worker in found.values():
                if worker:
                    worker.close()
        return answers

    def networks(self):
        result = []
        for recipe, batch, train_goal, infer_goal in NETWORKS:
            if not self.wanted(recipe):
                continue
            say(f"{recipe}, batch {batch} ...")
            result.append({"recipe": recipe, "batch": batch, "train_goal": train_goal, "infer_goal": infer_goal,
                           "answers": self.network(recipe, batch)})
        return result

    # ---- layers ----

    def layers(self):
        subprocess.run(["cmake", self.args.build], check=True, stdout=subprocess.DEVNULL)  # the library may be new
        built = subprocess.run(["cmake", "--build", self.args.build, "--target", "bench_layers"], capture_output=True, text=True)
        if built.returncode:
            is_unknown = "unknown target" in built.stdout + built.stderr
            say("oneDNN is missing: no libdnnl-dev" if is_unknown else built.stdout + built.stderr)
            return []
        say("layers ...")
        command = [os.path.join(self.args.build, "bench_layers"), str(self.args.rounds), "0.02", str(self.args.threads)]
        done = subprocess.run(command + self.args.only, env=self.env, stdout=subprocess.PIPE, text=True)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        if found:
            self.versions["oneDNN"] = found[0]["onednn"]
        return found


# ---- figures ----

def median_of(answers, key="images_per_second"):
    return statistics.median(a[key] for a in answers)


def ratios(ours, theirs):
    return sorted(a["images_per_second"] / b["images_per_second"] for a, b in zip(ours, theirs))


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def spread(values):
    return f"{statistics.median(values):.2f} ({values[0]:.2f} - {values[-1]:.2f})"


def of_peak(answers):
    return f"{100 * statistics.median(a['gflops'] / a['peak_gflops'] for a in answers):.0f} %"


def train_row(case):
    answers, ours = case["answers"], case["answers"]["fovea train"]
    row = [case["recipe"], str(case["batch"]), number(median_of(ours)), of_peak(ours)]
    row += [number(median_of(answers[layout])) if layout in answers else "-" for layout in LAYOUTS]
    if LAYOUTS[0] not in answers:
        return row + ["-", f"{case['train_goal']}"]
    better = max((answers[layout] for layout in LAYOUTS), key=median_of)
    return row + [spread(ratios(ours, better)), f"{case['train_goal']}"]


def memory_row(case):
    answers = case["answers"]
    ours = max(a["rss_mb"] for a in answers["fovea train"])
    if LAYOUTS[0] not in answers:
        return [case["recipe"], str(case["batch"]), f"{ours:.0f}", "-", "-", "3"]
    theirs = min(max(a["rss_mb"] for a in answers[layout]) for layout in LAYOUTS)
    return [case["recipe"], str(case["batch"]), f"{ours:.0f}", f"{theirs:.0f}", f"{theirs / ours:.1f}", "3"]


def infer_row(case):
    answers, ours = case["answers"], case["answers"]["fovea infer"]
    row = [case["recipe"], str(case["batch"]), number(median_of(ours)), of_peak(ours)]
    if "onnx" not in answers:
        return row + ["-", "-", f"{case['infer_goal']}"]
    return row + [number(median_of(answers["onnx"])), spread(ratios(ours, answers["onnx"])), f"{case['infer_goal']}"]


def layer_figures(layer):
    """GFLOP/s of both, share of the peak, ratios by round against the better layout."""
    layout = min(("plain", "blocked"), key=lambda name: statistics.median(layer[name]))
    rate = {name: layer["gflop"] / statistics.median(layer[name]) for name in ("fovea", "plain", "blocked")}
    share = statistics.median(layer["gflop"] / s / p for s, p in zip(layer["fovea"], layer["peak_gflops"]))
    return rate, share, sorted(b / a for a, b in zip(layer["fovea"], layer[layout]))


def layer_row(layer):
    rate, share, ratio = layer_figures(layer)
    return [layer["name"], str(layer["batch"]), PASSES[layer["pass"]], f"{rate['fovea']:.0f}", f"{100 * share:.0f} %",
            f"{rate['plain']:.0f}", f"{rate['blocked']:.0f}", spread(ratio)]


# ---- printing ----

def table(title, head, rows, is_markdown):
    """Printed; the first column to the left, numbers to the right."""
    if not rows:
        return
    if is_markdown:
        rule = ["---"] + ["---:"] * (len(head) - 1)
        print(f"\n### {title}\n")
        for row in [head, rule] + rows:
            print(f"| {' | '.join(row)} |")
        return
    width = [max(len(row[i]) for row in [head] + rows) for i in range(len(head))]
    print(f"\n{title}")
    for row in [head] + rows:
        print("  " + "  ".join(cell.ljust(n) if i == 0 else cell.rjust(n) for i, (cell, n) in enumerate(zip(row, width))),
              flush=True)


def put_into(path, mark, text):
    """Replace what stands between <!-- mark --> and <!-- end of mark -->."""
    with open(path) as file:
        before, begin, rest = file.read().partition(f"<!-- {mark} -->\n")
        _, end, after = rest.partition(f"<!-- end of {mark} -->\n")
    if not begin or not end:
        raise ValueError(f"{path} has no marks of {mark}")
    with open(path, "w") as file:
        file.write(f"{before}{begin}\n{text.strip()}\n\n{end}{after}")


@contextlib.contextmanager
def printing_into(path, mark):
    """What is printed goes between the marks of a file; path None: to stdout."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text) if path else contextlib.nullcontext():
        yield
    if path:
        put_into(path, mark, text.getvalue())


def machine():
    try:
        with open("/proc/cpuinfo") as file:
            model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown")
    except OSError:
        model = os.uname().machine
    return f"{model}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} when it began"


def peaks(result):
    for case in result["networks"]:
        for name in ("fovea train", "fovea infer"):
            yield from (a["peak_gflops"] for a in case["answers"][name])
    for layer in result["layers"]:
        yield from layer["peak_gflops"]


def report(result, args):
    found = sorted(peaks(result))
    bullet = "- " if args.markdown else ""
    print(f"{bullet}{result['machine']}\n{bullet}{result['date']}, {args.rounds} rounds, {args.threads} thread(s), "
          f"float32; " + ", ".join(f"{k} {v}" for k, v in result["versions"].items()))
    if found:
        print(f"{bullet}Multiply-add peak {statistics.median(found):.0f} GFLOP/s ({found[0]:.0f} - {found[-1]:.0f})")
    table("Training, images/s", ["network", "batch", "Fovea", "of peak", "PyTorch NCHW", "channels_last", "ratio", "goal"],
          [train_row(case) for case in result["networks"]], args.markdown)
    table("Memory of training, MB at most", ["network", "batch", "Fovea", "PyTorch", "ratio", "goal"],
          [memory_row(case) for case in result["networks"]], args.markdown)
    table("Prediction, images/s", ["network", "batch", "Fovea", "of peak", "ONNX Runtime", "ratio", "goal"],
          [infer_row(case) for case in result["networks"]], args.markdown)
    table("Convolutions, GFLOP/s", ["layer", "batch", "pass", "Fovea", "of peak", "oneDNN plain", "blocked", "ratio"],
          [layer_row(layer) for layer in result["layers"]], args.markdown)
    medians = [statistics.median(layer_figures(layer)[2]) for layer in result["layers"]]
    if medians:
        mean = math.exp(statistics.fmean(map(math.log, medians)))
        print(f"\n{bullet}Against oneDNN's better layout: geometric mean {mean:.2f} (goal 1.1), least {min(medians):.2f} (goal 0.97)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=os.path.join(TOP, "build"))
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS") or 5))
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--skip", action="append", default=[], choices=["setup", "networks", "layers"])
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--into")
    parser.add_argument("--json")
    args = parser.parse_args()
    args.markdown = args.markdown or args.into is not None
    args.build = os.path.abspath(args.build)
    result = {"machine": machine(), "date": datetime.date.today().isoformat(), "networks": [], "layers": []}
    if "setup" not in args.skip:
        subprocess.run([os.path.join(TOP, "tools", "bench_setup.sh"), os.path.join(args.build, "peers")], check=True,
                       stdout=sys.stderr)
    bench = Bench(args)
    if "networks" not in args.skip:
        result["networks"] = bench.networks()
    if "layers" not in args.skip:
        result["layers"] = bench.layers()
    result["versions"] = bench.versions
    if args.json:
        with open(args.json, "w") as file:
            json.dump(result, file)
    with printing_into(args.into, "peers"):
        report(result, args)


if __name__ == "__main__":
    main()
