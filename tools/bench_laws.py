#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How time grows: with the batch, the picture's sides, the channels, and what a second thread brings.

usage: bench_laws.py [--fovea build/fovea] [--rounds 5] [--seconds 0.15] [--threads 1] [--only LAW]...
                     [--markdown] [--into FILE]

    --only LAW   batch, sides, channels or threads
    --markdown   tables in Markdown instead of text; --into FILE puts them between the marks of docs/performance.md

batch     time of a step = a + b*N, fitted to relative errors: a is what a step costs before the first picture
sides     the same of H*W: three 3x3 convolutions, square pictures with even and odd sides, and powers of two
channels  time for each multiply-add of three 3x3 convolutions with C channels, C below, at and above powers of two
threads   images/s with two threads to those with one

Each point is a run of `fovea bench`, of which the fastest piece counts; points are taken in turns, and of each the median
over the rounds is printed.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile

from bench_peers import printing_into, table

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BATCHES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
SIDES = (14, 15, 16, 17, 24, 28, 31, 32, 33, 40, 48, 56, 63, 64, 65, 80, 96)
CHANNELS = (8, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 96, 127, 128, 129, 192, 255, 256, 257)
NETWORKS = ("lenet5", "signs")
TWO_THREADS = (("resnet20", 32), ("vgg16_cifar", 32))


class Laws:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder

    def point(self, recipe, batch, mode="train", threads=None):
        command = [self.args.fovea, "bench", recipe, "--batch", str(batch), "--mode", mode, "--threads",
                   str(threads or self.args.threads), "--seconds", str(self.args.seconds), "--json"]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def times(self, points):
        """Microseconds of a step for each point (recipe, batch, mode): medians over the rounds, taken in turns."""
        found = [[] for _ in points]
        for _ in range(self.args.rounds):
            for at, point in enumerate(points):
                found[at].append(1e3 * self.point(*point)["step_ms_min"])
        return [statistics.median(each) for each in found]

    def net(self, side, channels):
        """Three convolutions whose input and output have as many channels."""
        path = os.path.join(self.folder, f"net_{side}_{channels}.py")
        conv = f'Conv2D({channels}, 3, padding="same", activation="relu")'
        with open(path, "w") as file:
            file.write(f"net = Sequential([Input(shape=({side}, {side}, {channels})), {conv}, {conv}, {conv},\n"
                       "    GlobalAveragePooling2D(), Dense(10)])\n")
        return path

    def batch(self):
        for recipe in NETWORKS:
            for mode in ("train", "infer"):
                times = self.times([(recipe, n, mode) for n in BATCHES])
                self.line(f"{recipe}, {mode}: time of a step by batch", "batch", BATCHES, times, BATCHES)

    def sides(self):
        times = self.times([(self.net(side, 32), 4) for side in SIDES])
        self.line("32 channels, batch 4: time of a training step by H*W", "side", SIDES, times, [s * s for s in SIDES])

    def channels(self):
        side, batch = 16, 8
        times = self.times([(self.net(side, c), batch) for c in CHANNELS])
        work = [8 * 2 * side * side * batch * 9 * c * c for c in CHANNELS]  # 2 + 3 + 3 passes over three layers
        rows = [[str(c), f"{t:.0f}", f"{w / t / 1e3:.1f}"] for c, t, w in zip(CHANNELS, times, work)]
        self.table(f"{side}x{side}, batch {batch}: a training step by channels", ["channels", "us", "GFLOP/s"], rows)

    def threads(self):
        rows = []
        for recipe, batch in TWO_THREADS:
            ratios = sorted(self.point(recipe, batch, "train", 2)["images_per_second"]
                            / self.point(recipe, batch, "train", 1)["images_per_second"] for _ in range(self.args.rounds))
            rows.append([recipe, str(batch), f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} - {ratios[-1]:.2f})"])
        self.table("Two threads to one, training", ["network", "batch", "ratio"], rows)

    def line(self, title, what, labels, times, sizes):
        a, b = fit(sizes, times)
        rows = [[str(label), f"{t:.1f}", f"{a + b * x:.1f}", f"{100 * (t / (a + b * x) - 1):+.0f} %"]
                for label, t, x in zip(labels, times, sizes)]
        worst = max(abs(t / (a + b * x) - 1) for t, x in zip(times, sizes))
        self.table(f"{title}: {a:.1f} us + {b:.4g} us each, at most {100 * worst:.0f} % off", [what, "us", "the line", "off"], rows)

    def table(self, title, head, rows):
        table(title, head, rows, self.args.markdown)


def fit(x, t):
    """a, b of t = a + b*x with the least sum of squared relative errors."""
    w = [1 / (each * each) for each in t]
    sw, sx, st = sum(w), sum(wi * xi for wi, xi in zip(w, x)), sum(wi * ti for wi, ti in zip(w, t))
    sxx = sum(wi * xi * xi for wi, xi in zip(w, x))
    sxt = sum(wi * xi * ti for wi, xi, ti in zip(w, x, t))
    b = (sw * sxt - sx * st) / (sw * sxx - sx * sx)
    return (st - b * sx) / sw, b


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fovea", default=os.path.join(TOP, "build", "fovea"))
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS") or 5))
    parser.add_argument("--seconds", type=float, default=0.15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", action="append", choices=["batch", "sides", "channels", "threads"])
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--into")
    args = parser.parse_args()
    args.markdown = args.markdown or args.into is not None
    with tempfile.TemporaryDirectory() as folder, printing_into(args.into, "laws"):
        laws = Laws(args, folder)
        for law in args.only or ("batch", "sides", "channels", "threads"):
            getattr(laws, law)()


if __name__ == "__main__":
    main()
