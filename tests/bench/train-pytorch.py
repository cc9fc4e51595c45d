#!/usr/bin/python3
"""train-pytorch.py RECIPE THREADS STEPS LAYOUT PRECISION: steps a second of
PyTorch on the network of a recipe, its loss and Adam, on patches that lie ready
in memory; see compare-training.sh. LAYOUT: contiguous or channels-last.
PRECISION: fp32, or bf16, which is PyTorch's autocast.

SPDX-License-Identifier: MIT
"""

import os
import sys
import time

import torch

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "..", "examples", "pytorch"))
import twin  # noqa: E402

path, threads, steps, layout, precision = sys.argv[1:6]
torch.set_num_threads(int(threads))
recipe = twin.Recipe()
recipe.load(path)
channels = 1 if recipe["network.colour"] == "y" else 3
batch, patch = recipe.count("training.batch"), recipe.count("data.patch")
scale = recipe.count("network.scale")
memory = (torch.channels_last if layout == "channels-last"
          else torch.contiguous_format)
network = twin.Network(twin.design_generator(recipe), channels)
network = network.to(memory_format=memory).train()
optimizer = torch.optim.Adam(network.parameters(), 1e-4)
inputs = torch.rand(batch, channels, patch, patch).to(memory_format=memory)
targets = torch.rand(batch, channels, patch * scale, patch * scale).to(
    memory_format=memory)


def run(n):
    for _ in range(n):
        with torch.autocast("cpu", torch.bfloat16, precision == "bf16"):
            outputs = network(inputs)
        loss = twin.criterion(recipe, "training", None, outputs.float(),
                              targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()


run(2)
start = time.monotonic()
run(int(steps))
print(int(steps) / (time.monotonic() - start))
