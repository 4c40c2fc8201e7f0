#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A recipe as PyTorch runs it: trains on one batch of random pictures, or writes an ONNX file.

usage: bench_torch.py train RECIPE.py BATCH FORMAT THREADS   FORMAT: channels_first or channels_last
       bench_torch.py export RECIPE.py BATCH OUT.onnx

train answers each line "SECONDS" on stdin with a line of JSON on stdout: the median time of a step (forward, loss,
backward, Adam), cut into pieces as `fovea bench` does, and the memory the process held at most. The recipe is the very file
that Fovea reads: Keras's names in it stand for the layers below.
"""
import json
import os
import resource
import statistics
import sys
import time
import types
import warnings

import torch
from torch import nn

CHUNKS, CHUNKS_MIN = 20, 3


def memory_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


IMPORTED_MB = memory_mb()
EXPORTING = sys.argv[1:2] == ["export"]
warnings.filterwarnings("ignore")


# ---- Keras's words in PyTorch: a symbol knows the size [H,W,C] that a layer sees ----

class Symbol:
    def __init__(self, net, at, shape, pads=(0, 0)):
        self.net, self.at, self.shape, self.pads = net, at, shape, pads


class Net(nn.Module):
    """Modules in the order they were applied; step i reads the outputs of inputs[i] and writes output i + 1."""

    def __init__(self):
        super().__init__()
        self.steps, self.inputs, self.head = nn.ModuleList(), [], None

    def add(self, module, symbols, shape):
        if any(s.pads != (0, 0) for s in symbols) and not isinstance(module, nn.Conv2d):
            raise ValueError("padding that no convolution follows")
        self.steps.append(module)
        self.inputs.append([s.at for s in symbols])
        return Symbol(self, len(self.steps), shape)

    def forward(self, x):
        out = [x]
        for module, inputs in zip(self.steps, self.inputs):
            out.append(module(*[out[i] for i in inputs]))
        return out[-1]

    def plain(self):
        """nn.Sequential where the layers stand in a row: what a user would write."""
        in_a_row = all(inputs == [i] for i, inputs in enumerate(self.inputs))
        return nn.Sequential(*self.steps) if in_a_row else self


class Add(nn.Module):
    """torchvision's `out += identity` where nobody else reads the first one."""

    def forward(self, a, b):
        return a.add_(b) if a.requires_grad else a + b


def pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def out_size(shape, kernel, strides, padding):
    if padding == "same":
        return [-(-n // s) for n, s in zip(shape[:2], strides)]
    return [(n - k) // s + 1 for n, k, s in zip(shape[:2], kernel, strides)]


class Layer:
    """One of Keras's layers before it is applied."""

    def __init__(self, build, *args, **kwargs):
        self.build, self.args, self.kwargs = build, args, kwargs

    def __call__(self, inputs):
        symbols = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        return self.build(symbols, *self.args, **self.kwargs)


def layer(build):
    return lambda *args, **kwargs: Layer(build, *args, **kwargs)


def activate(symbol, name):
    if name in (None, "linear"):
        return symbol
    if name == "relu":
        return symbol.net.add(nn.ReLU(inplace=True), [symbol], symbol.shape)
    if name in ("softmax", "sigmoid"):
        symbol.net.head = name  # the loss takes it over; an exported network ends in it
        return symbol
    raise ValueError(f"activation {name}")


def same_pads(shape, kernel, strides):
    """(before, after) of both axes, the odd pixel after, as TensorFlow does."""
    total = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(shape, kernel, strides)]
    return [t // 2 for t in total], [t - t // 2 for t in total]


def conv2d(symbols, filters, kernel_size, strides=1, padding="valid", activation=None, use_bias=True,
           kernel_initializer=None, groups=1, name=None):
    (x,) = symbols
    kernel, strides, pads = pair(kernel_size), pair(strides), x.pads
    shape = out_size(x.shape, kernel, strides, padding) + [filters]
    if padding == "same":
        before, after = same_pads(x.shape, kernel, strides)
        pads = before if before == after else "same"
    if pads == "same" and (strides != (1, 1) or EXPORTING):  # what PyTorch, or its exporter, cannot say
        (top, left), (bottom, right) = before, after
        x = x.net.add(nn.ZeroPad2d((left, right, top, bottom)), [x], x.shape)
        pads = 0
    module = nn.Conv2d(x.shape[2], filters, kernel, strides, pads, bias=use_bias, groups=groups)
    return activate(x.net.add(module, [x], shape), activation)


def depthwise_conv2d(symbols, kernel_size, strides=1, padding="valid", depth_multiplier=1, activation=None, use_bias=True,
                     depthwise_initializer=None, name=None):
    channels = symbols[0].shape[2]
    return conv2d(symbols, channels * depth_multiplier, kernel_size, strides, padding, activation, use_bias, groups=channels)


def separable_conv2d(symbols, filters, kernel_size, strides=1, padding="valid", depth_multiplier=1, activation=None,
                     use_bias=True, depthwise_initializer=None, pointwise_initializer=None, name=None):
    z = depthwise_conv2d(symbols, kernel_size, strides, padding, depth_multiplier, use_bias=False)
    return conv2d([z], filters, 1, activation=activation, use_bias=use_bias)


def max_pooling(symbols, pool_size=2, strides=None, padding="valid", name=None):
    (x,) = symbols
    pool, strides = pair(pool_size), pair(strides or pool_size)
    if padding == "same" and any(n % s or s != k for n, k, s in zip(x.shape, pool, strides)):
        raise ValueError("padded pooling")
    return x.net.add(nn.MaxPool2d(pool, strides), [x], out_size(x.shape, pool, strides, "valid") + x.shape[2:])


def global_average_pooling(symbols, name=None):
    (x,) = symbols
    y = x.net.add(nn.AdaptiveAvgPool2d(1), [x], [1, 1, x.shape[2]])
    return flatten([y])


def flatten(symbols, name=None):
    (x,) = symbols
    count = 1
    for n in x.shape:
        count *= n
    return x.net.add(nn.Flatten(), [x], [count])


def dense(symbols, units, activation=None, use_bias=True, kernel_initializer=None, name=None):
    (x,) = symbols
    return activate(x.net.add(nn.Linear(x.shape[0], units, bias=use_bias), [x], [units]), activation)


def batch_normalization(symbols, axis=-1, name=None):
    (x,) = symbols
    return x.net.add(nn.BatchNorm2d(x.shape[2], eps=1e-3, momentum=0.01), [x], x.shape)


def zero_padding(symbols, padding=1, name=None):
    """Becomes the padding of the convolution that follows, as one writes it in PyTorch."""
    (x,) = symbols
    top, left = pair(padding)
    return Symbol(x.net, x.at, [x.shape[0] + 2 * top, x.shape[1] + 2 * left, x.shape[2]], (top, left))


def input_(shape=None, name=None):
    return Symbol(Net(), 0, list(shape))


def sequential(layers, name=None):
    x = layers[0]
    for each in layers[1:]:
        x = each(x)
    return x


def model(inputs=None, outputs=None, name=None):
    return outputs


KERAS = {
    "Input": input_, "Sequential": sequential, "Model": model, "Conv2D": layer(conv2d),
    "DepthwiseConv2D": layer(depthwise_conv2d), "SeparableConv2D": layer(separable_conv2d), "MaxPooling2D": layer(max_pooling),
    "Flatten": layer(flatten), "Dense": layer(dense), "BatchNormalization": layer(batch_normalization),
    "ReLU": layer(lambda symbols, name=None: activate(symbols[0], "relu")),
    "Add": layer(lambda symbols, name=None: symbols[0].net.add(Add(), symbols, symbols[0].shape)),
    "GlobalAveragePooling2D": layer(global_average_pooling), "ZeroPadding2D": layer(zero_padding),
}


def load(path):
    """(network without its head, name of the head, [H,W,C], number of outputs)"""
    keras = types.ModuleType("tensorflow.keras")
    keras.__dict__.update(KERAS, layers=keras)
    tensorflow = types.ModuleType("tensorflow")
    tensorflow.keras = keras
    sys.modules.update({"tensorflow": tensorflow, "tensorflow.keras": keras, "tensorflow.keras.layers": keras})
    first = []
    KERAS["Input"], kept = (lambda *a, **k: first.append(input_(*a, **k)) or first[0]), KERAS["Input"]
    keras.Input = KERAS["Input"]
    names = {}
    with open(path) as file:
        exec(compile(file.read(), path, "exec"), names)  # our own recipes, or the caller's
    KERAS["Input"] = kept
    last = [v for v in names.values() if isinstance(v, Symbol)][-1]
    return last.net.plain(), last.net.head, first[0].shape, last.shape[-1]


# ---- Measuring ----

def train(path, batch, data_format, threads):
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    torch.manual_seed(1)
    net, head, (height, width, channels), outputs = load(path)
    x = torch.rand(batch, channels, height, width)
    if data_format == "channels_last":
        net, x = net.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    if head == "sigmoid":
        loss_of, target = nn.BCEWithLogitsLoss(), torch.arange(batch).remainder(2).float().reshape(batch, 1)
    else:
        loss_of, target = nn.CrossEntropyLoss(), torch.arange(batch).remainder(outputs)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-6, eps=1e-7)
    net.train()

    def steps(count):
        start = time.perf_counter()
        for _ in range(count):
            optimizer.zero_grad(set_to_none=True)
            loss_of(net(x), target).backward()
            optimizer.step()
        return time.perf_counter() - start

    steps(3)
    print(json.dumps({"parameters": sum(p.numel() for p in net.parameters()), "version": torch.__version__,
                      "mkldnn": torch.backends.mkldnn.is_available(), "imported_mb": IMPORTED_MB}), flush=True)
    for line in sys.stdin:
        seconds = float(line)
        one, spent = steps(1), 0
        while spent < seconds / 10:  # caches and clock settle
            again = steps(1)
            one, spent = min(one, again), spent + again
        count = max(1, int(seconds / CHUNKS / one))
        times = []
        while len(times) < CHUNKS_MIN or sum(times) < seconds:
            times.append(steps(count))
        step = statistics.median(times) / count
        print(json.dumps({"images_per_second": batch / step, "step_ms": 1e3 * step, "rss_mb": memory_mb()}), flush=True)


def export(path, batch, out):
    torch.manual_seed(1)
    net, head, (height, width, channels), _ = load(path)
    net = nn.Sequential(net, nn.Sigmoid() if head == "sigmoid" else nn.Softmax(dim=1) if head else nn.Identity())
    net.eval()
    x = torch.rand(batch, channels, height, width)
    with torch.no_grad():
        torch.onnx.export(net, x, out + ".part", input_names=["x"], output_names=["y"], opset_version=13)
    os.replace(out + ".part", out)


if __name__ == "__main__":
    _, recipe, size, *rest = sys.argv[1:]
    if EXPORTING:
        export(recipe, int(size), rest[0])
    else:
        train(recipe, int(size), rest[0], int(rest[1]))
