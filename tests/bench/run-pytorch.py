#!/usr/bin/python3
"""run-pytorch.py MODEL WxH INPUT OUTPUT THREADS RUNS: PyTorch, channels last,
traced and frozen. Prints {"times": [ms, ...]}; see compare-peers.sh.

SPDX-License-Identifier: MIT
"""

import json
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from network import Network


class Model(torch.nn.Module):
    def __init__(self, network):
        super().__init__()
        self.layers = network.layers
        for i, layer in enumerate(self.layers):
            for name in ("weight", "bias", "slope"):
                values = network.get(layer, name)
                if values is not None:
                    self.register_buffer(f"{name}{i}",
                                         torch.from_numpy(values.copy()))

    def forward(self, x):
        maps = {"input": x}
        for i, layer in enumerate(self.layers):
            inputs = [maps[name] for name in layer["inputs"]]
            kind = layer["operation"]
            if kind == "conv":
                y = F.conv2d(inputs[0], getattr(self, f"weight{i}"),
                             getattr(self, f"bias{i}"),
                             padding=layer["kernel_width"] // 2)
            elif kind == "add":
                y = inputs[0] + inputs[1]
            elif kind == "pixel-shuffle":
                y = F.pixel_shuffle(inputs[0], layer["factor"])
            else:
                y = F.interpolate(inputs[0], scale_factor=float(layer["factor"]),
                                  mode="nearest")
            activation = layer.get("activation", "none")
            if activation == "prelu":
                y = F.prelu(y, getattr(self, f"slope{i}"))
            elif activation == "leaky-relu":
                y = F.leaky_relu(y, layer["activation_low"])
            maps[layer["name"]] = y
        return y


model, size, source, target, threads, runs = sys.argv[1:7]
width, height = (int(n) for n in size.split("x"))
torch.set_num_threads(int(threads))
x = torch.from_numpy(np.fromfile(source, "f4").reshape(1, 3, height, width))
x = x.contiguous(memory_format=torch.channels_last)
with torch.no_grad():
    net = Model(Network(model)).eval().to(memory_format=torch.channels_last)
    net = torch.jit.freeze(torch.jit.trace(net, x, check_trace=False))
    times = []
    for i in range(-2, int(runs)):
        start = time.monotonic()
        y = net(x)
        if i >= 0:
            times.append(1000 * (time.monotonic() - start))
y.contiguous().numpy().tofile(target)
print(json.dumps({"times": times}))
