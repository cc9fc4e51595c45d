#!/usr/bin/env python3
"""srgan-train's twin in PyTorch, for those who have a GPU.

    twin.py RECIPE.conf --data FOLDER [-o OUT.safetensors]

reads srgan-train's key file (srgan-train --print-config explains every key),
trains the same network by the same losses and optimizers, and writes a model
file of ours, which srganupscale runs and srgan-convert takes, beside
OUT.safetensors.ckpt, from which the same command continues. A key that is not
known here, or not done here, is refused by name.

Not the same: the random numbers, and what the resizing that softens pictures
does at the edges of a patch.

Needs PyTorch (1.13 or later), numpy and PIL.

SPDX-License-Identifier: MIT
"""

import argparse
import configparser
import copy
import json
import math
import os
import random
import struct
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

# --- The recipe: group.key, and what it is where the file does not say -------

DEFAULTS = """
network.name=fast-clean-x2 network.design=chain network.colour=y
network.batch-norm=true network.scale=2 network.channels=16 network.layers=4
network.activation=prelu network.skip=nearest network.start=
network.grow=false
data.folder= data.patch=48 data.flips=true data.brightness=0;0
data.turns=horizontal;vertical;rotation data.contrast=1;1
data.downscale=bicubic data.round=false data.softened=0.5 data.blurred=0.5
data.blur-sigma=0.4;0.6 data.reduction=0.6;0.75
data.reduction-filter=bilinear;box;bicubic data.held-back=0.04
data.validation-pictures=64
training.steps=20000 training.batch=16 training.seed=1 training.loss=l1
training.charbonnier-epsilon=0.001 training.pixel-weight=1
training.ssim-weight=0 training.ms-ssim-weight=0 training.fourier-weight=0
training.perceptual-weight=0 training.optimizer=soap
training.learning-rate=0.003 training.other-learning-rate=0.001
training.warm-up=200 training.first-moment=0.9 training.second-moment=0.95
training.other-second-moment=0.999 training.preconditioner-moment=0.95
training.basis-interval=10 training.clip=0 training.weight-decay=0
training.average=0.999
adversarial.steps=0 adversarial.discriminator=srgan adversarial.channels=64
adversarial.form=relativistic adversarial.weight=0.005
adversarial.pixel-weight=0.01 adversarial.ssim-weight=0
adversarial.ms-ssim-weight=0 adversarial.fourier-weight=0
adversarial.perceptual-weight=1 adversarial.learning-rate=0.0001
adversarial.discriminator-learning-rate=0.0001
features.model= features.layers= features.form=energy features.channels=32
features.seed=1
output.file= output.checkpoint= output.checkpoint-interval=1000
output.validation-interval=1000 output.training-data= output.licence=
"""

# What is srgan-train's alone: right only as it is by default, or of no effect
# on what is learned.
NOT_HERE = """
data.pairs= data.video-frames data.video-crop data.x264=0 data.x264-crf
data.x264-preset data.x264-frames data.x264-pan data.x264-zoom data.jpeg=0
data.jpeg-quality data.variants
network.blocks=plain network.block-width
data.prefetch-threads training.threads training.precision=fp32
training.restarts=0 training.restart-length training.restart-rate
distillation.teacher= distillation.output-weight distillation.residual-weight=0
output.quantised=false validation.folder= validation.patience=0
validation.features= validation.feature-layers= output.log-dir=
output.log-interval
"""


class Recipe(dict):
    """Texts by group.key; numbers and lists of them by the methods."""

    def __init__(self):
        super().__init__(word.split("=", 1) for word in DEFAULTS.split())
        self.not_here = dict((word.split("=", 1) + [None])[:2]
                             for word in NOT_HERE.split())

    def put(self, key, value):
        if key not in self and key not in self.not_here:
            sys.exit(f"twin.py: {key}: there is no such setting")
        if self.not_here.get(key) not in (None, value) or (
                key == "data.downscale" and "lanczos" in value):
            sys.exit(f"twin.py: {key}={value}: srgan-train does that, this "
                     "does not")
        if key in self:
            self[key] = value

    def load(self, path):
        file = configparser.ConfigParser(interpolation=None, delimiters=("=",))
        file.optionxform = str
        with open(path) as text:
            file.read_file(text)
        for group in file.sections():
            for key, value in file[group].items():
                self.put(f"{group}.{key}", value)

    def number(self, key):
        return float(self[key])

    def count(self, key):
        return int(self[key])

    def flag(self, key):
        return self[key] == "true"

    def numbers(self, key):
        return [float(part) for part in self[key].split(";")]

    def list(self, key):
        return [part for part in self[key].split(";") if part]

    def to_text(self):
        groups = {}
        for key, value in self.items():
            group, name = key.split(".", 1)
            # the settings, not where things lay on the machine that trained
            if group != "output" and key != "data.folder":
                groups.setdefault(group, []).append(
                    f"{name}={os.path.basename(value)}")
        return "\n\n".join("\n".join([f"[{group}]"] + lines)
                           for group, lines in groups.items()) + "\n"


# --- Networks: a list of layers, as in the model file, and what runs it ------


class Layers(list):
    """Grows layer by layer; each call returns the name of what it added."""

    def add(self, name, operation, *inputs, **attributes):
        self.append({"name": name, "operation": operation,
                     "inputs": list(inputs), **attributes})
        return name

    def conv(self, name, source, channels, kernel=3, activation="none",
             bias=True, low=0., **attributes):
        if activation == "leaky-relu":
            attributes["activation_low"] = low
        return self.add(name, "conv", source, out_channels=channels,
                        kernel_width=kernel, kernel_height=kernel,
                        activation=activation, bias=bias, **attributes)

    def norm(self, name, source):
        return self.add(name, "batch-norm", source, epsilon=1e-5)

    def activate(self, name, source, activation, low=0.):
        more = {"activation_low": low} if activation == "leaky-relu" else {}
        return self.add(name, "activation", source, activation=activation,
                        **more)


def design_generator(recipe):
    """srgan-train's chain, or SRResNet (Ledig et al. 2017, figure 4)."""
    layers = Layers()
    colours = 1 if recipe["network.colour"] == "y" else 3
    scale, width = recipe.count("network.scale"), recipe.count("network.channels")
    act, norm = recipe["network.activation"], recipe.flag("network.batch-norm")
    low = .1
    if recipe["network.design"] == "chain":
        last = layers.conv("first", "input", width, 3, act, low=low)
        for i in range(recipe.count("network.layers")):
            last = layers.conv(f"body{i + 1}", last, width, 3, act, low=low)
        last = layers.conv("last", last, colours * scale * scale)
        last = layers.add("shuffle", "pixel-shuffle", last, factor=scale)
    else:
        def normed(block, suffix, source):
            last = layers.conv(f"{block}-conv{suffix}", source, width,
                               bias=not norm)
            return layers.norm(f"{block}-norm{suffix}", last) if norm else last

        first = last = layers.conv("first", "input", width, 9, act, low=low)
        for i in range(recipe.count("network.layers")):
            block, source = f"block{i + 1}", last
            last = normed(block, "1", last)
            last = layers.activate(f"{block}-act", last, act, low)
            last = normed(block, "2", last)
            last = layers.add(f"{block}-sum", "add", source, last)
        last = layers.add("trunk-sum", "add", first, normed("trunk", "", last))
        for i, factor in enumerate({1: [], 2: [2], 3: [3], 4: [2, 2]}[scale]):
            up = f"up{i + 1}"
            last = layers.conv(up, last, width * factor * factor)
            last = layers.add(f"{up}-shuffle", "pixel-shuffle", last,
                              factor=factor)
            last = layers.activate(f"{up}-act", last, act, low)
        last = layers.conv("last", last, colours, 9)
    if recipe["network.skip"] != "none":
        base = layers.add("base", "resize", "input", factor=scale,
                          filter=recipe["network.skip"])
        layers.add("sum", "add", last, base)
    return layers


def design_discriminator(recipe):
    """SRGAN's, pix2pix's (Isola et al. 2017) or a U-Net (Wang et al. 2021)."""
    layers = Layers()
    kind, width = recipe["adversarial.discriminator"], recipe.count(
        "adversarial.channels")
    leaky = {"activation": "leaky-relu", "low": .2}
    last = "input"
    if kind == "srgan":
        side = recipe.count("data.patch") * recipe.count("network.scale")
        for i in range(8):
            first = {"bias": False} if i > 0 else leaky
            last = layers.conv(f"conv{i + 1}", last, width << i // 2, 3,
                               stride=1 + i % 2, **first)
            if i > 0:
                last = layers.norm(f"norm{i + 1}", last)
                last = layers.activate(f"act{i + 1}", last, "leaky-relu", .2)
            side = (side + i % 2) >> i % 2
        last = layers.conv("dense1", last, 16 * width, side, padding="none",
                           **leaky)
        layers.conv("dense2", last, 1, 1, padding="none")
    elif kind == "patch":
        for i in range(5):
            how = leaky if i < 4 else {}
            last = layers.conv(f"conv{i + 1}", last, width << i if i < 4 else 1,
                               4, stride=2 if i < 3 else 1, **how)
    else:
        levels = [layers.conv("down0", last, width, 3, **leaky)]
        for i in range(1, 4):
            levels.append(layers.conv(f"down{i}", levels[-1], width << i, 4,
                                      stride=2, bias=False, **leaky))
        last = levels[3]
        for i in (2, 1, 0):
            last = layers.add(f"larger{i}", "resize", last, factor=2,
                              filter="bilinear")
            last = layers.conv(f"up{i}", last, width << i, 3, bias=False,
                               **leaky)
            last = layers.add(f"sum{i}", "add", last, levels[i])
        for i in (1, 2):
            last = layers.conv(f"end{i}", last, width, 3, bias=False, **leaky)
        layers.conv("verdict", last, 1, 3)
    return layers


def design_features(channels=32):
    """The feature network of random weights: VGG's shape."""
    layers, last = Layers(), "input"
    for i, width in enumerate(channels * times for times in (1, 1, 2, 2, 4, 4)):
        last = layers.conv(f"conv{i}", last, width, 3, "relu", bias=False)
        if i in (1, 3):
            last = layers.add(f"pool{i}", "max-pool", last, kernel_width=2,
                              kernel_height=2, stride=2)
    return layers


class Network(nn.Module):
    """Runs a list of layers on [picture][channel][row][column]."""

    def __init__(self, layers, in_channels, seed=1):
        super().__init__()
        torch.manual_seed(seed)
        self.layers = layers
        self.modules_by_name = nn.ModuleDict()
        self.slopes = nn.ParameterDict()
        channels = {"input": in_channels}
        for layer in layers:
            name, kind = layer["name"], layer["operation"]
            n = channels[layer["inputs"][0]]
            if kind == "conv":
                out = layer["out_channels"]
                if layer.get("groups", 1) != 1:
                    sys.exit(f"twin.py: layer '{name}': groups are not here")
                conv = nn.Conv2d(n, out,
                                 (layer["kernel_height"], layer["kernel_width"]),
                                 layer.get("stride", 1),
                                 bias=layer.get("bias", True))
                bound = 1 / math.sqrt(conv.weight[0].numel())
                for parameter in conv.parameters():
                    nn.init.uniform_(parameter, -bound, bound)
                self.modules_by_name[name] = conv
                n = out
            elif kind == "batch-norm":
                self.modules_by_name[name] = nn.BatchNorm2d(
                    n, eps=layer["epsilon"])
            elif kind == "pixel-shuffle":
                n //= layer["factor"] ** 2
            elif kind == "concat":
                n = sum(channels[source] for source in layer["inputs"])
            elif kind not in ("add", "resize", "activation", "max-pool"):
                sys.exit(f"twin.py: layer '{name}': no {kind} here")
            if layer.get("activation") == "prelu":
                self.slopes[name] = nn.Parameter(torch.full((n,), .25))
            channels[name] = n

    def run_layer(self, layer, inputs):
        name, kind, x = layer["name"], layer["operation"], inputs[0]
        if kind == "conv":
            if layer.get("padding", "zero") == "zero":
                # as many outputs as inputs / stride, the window centred
                height, width = x.shape[-2:]
                step, pads = layer.get("stride", 1), []
                for size, kernel in ((width, layer["kernel_width"]),
                                     (height, layer["kernel_height"])):
                    end = (-(-size // step) - 1) * step + kernel - size
                    pads += [(kernel - 1) // 2, max(0, end - (kernel - 1) // 2)]
                if pads[0] == pads[1] == pads[2] == pads[3]:
                    conv = self.modules_by_name[name]
                    x = F.conv2d(x, conv.weight, conv.bias, conv.stride,
                                 pads[0])
                else:
                    x = self.modules_by_name[name](F.pad(x, pads))
            else:
                x = self.modules_by_name[name](x)
        elif kind == "batch-norm":
            x = self.modules_by_name[name](x)
        elif kind == "add":
            x = sum(inputs[1:], x)
        elif kind == "concat":
            x = torch.cat(inputs, 1)
        elif kind == "max-pool":
            x = F.max_pool2d(x, (layer["kernel_height"], layer["kernel_width"]),
                             layer.get("stride", 1),
                             ceil_mode=layer.get("ceil_mode", 0) == 1)
        elif kind == "pixel-shuffle":
            x = F.pixel_shuffle(x, layer["factor"])
        elif kind == "resize":
            x = enlarge(x, layer["factor"], layer.get("filter", "nearest"))
        activation = layer.get("activation", "none")
        if activation == "relu":
            x = F.relu(x)
        elif activation == "leaky-relu":
            x = F.leaky_relu(x, layer["activation_low"])
        elif activation == "prelu":
            x = F.prelu(x, self.slopes[name].to(x.dtype))
        elif activation != "none":
            sys.exit(f"twin.py: layer '{name}': no {activation} here")
        return x

    def forward(self, x, wanted=None):
        """The last layer's map, or the list of those that are @wanted."""
        maps = {"input": x}
        for layer in self.layers:
            x = self.run_layer(layer, [maps[name] for name in layer["inputs"]])
            maps[layer["name"]] = x
        return x if wanted is None else [maps[name] for name in wanted]

    def tensors(self):
        """By the model file's names: parameters, or (batch-norm) a copy."""
        for layer in self.layers:
            name = layer["name"]
            module = self.modules_by_name[name] if (
                name in self.modules_by_name) else None
            if layer["operation"] == "conv":
                yield f"{name}.weight", module.weight
                if module.bias is not None:
                    yield f"{name}.bias", module.bias
            elif layer["operation"] == "batch-norm":
                yield f"{name}.weight", torch.stack(
                    [module.weight, module.bias, module.running_mean,
                     module.running_var])
            if name in self.slopes:
                yield f"{name}.slope", self.slopes[name]

    def take(self, tensors):
        """Takes over those of a model file that have a namesake of their
        shape; returns how many."""
        taken = 0
        with torch.no_grad():
            for name, mine in self.tensors():
                theirs = tensors.get(name)
                if theirs is None or theirs.shape != mine.shape:
                    continue
                taken += 1
                if mine.dim() == 2:
                    norm = self.modules_by_name[name[:-len(".weight")]]
                    mine = (norm.weight, norm.bias, norm.running_mean,
                            norm.running_var)
                    for target, source in zip(mine, theirs):
                        target.copy_(source)
                else:
                    mine.copy_(theirs)
        return taken


def enlarge(x, factor, how):
    if how == "nearest":
        return F.interpolate(x, scale_factor=factor, mode="nearest")
    if how == "bilinear":
        return F.interpolate(x, scale_factor=factor, mode="bilinear",
                             align_corners=False)
    # Keys' a is -0.5 here and in PyTorch's antialiased filter; there edges are
    # left out of the sums, here they are repeated
    edge = F.pad(x.float(), (2, 2, 2, 2), mode="replicate")
    edge = F.interpolate(edge, scale_factor=factor, mode="bicubic",
                         align_corners=False, antialias=True)
    return edge[..., 2 * factor:-2 * factor, 2 * factor:-2 * factor]


# --- Model files (safetensors) -----------------------------------------------


def read_model(path):
    """The description of a model file of ours, None in a state dict, and the
    tensors, in the file's order."""
    kinds = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2")}
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(size))
        data = file.read()
    text = header.pop("__metadata__", {}).get("srgan.network")
    tensors = {}
    for name, tensor in header.items():
        if tensor["dtype"] in kinds:
            first, end = tensor["data_offsets"]
            values = np.frombuffer(data[first:end], kinds[tensor["dtype"]])
            tensors[name] = torch.from_numpy(
                values.astype("f4").reshape(tensor["shape"]))
    return (json.loads(text) if text else None), tensors


def write_model(path, network, name, colour, scale, notes):
    tensors = [(name, tensor.detach().float().cpu().contiguous().numpy())
               for name, tensor in network.tensors()]
    layers = [{key: value for key, value in layer.items() if key != "bias"}
              for layer in network.layers]
    description = {"version": 1, "name": name, "scale": scale, "colour": colour,
                   "notes": {key: text for key, text in notes.items() if text},
                   "layers": layers}
    header, offset = {"__metadata__": {
        "srgan.network": json.dumps(description)}}, 0
    for key, values in tensors:
        header[key] = {"dtype": "F32", "shape": list(values.shape),
                       "data_offsets": [offset, offset + values.nbytes]}
        offset += values.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".new", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, values in tensors:
            file.write(values.astype("<f4").tobytes())
    os.replace(path + ".new", path)


def load_network(path):
    """A Network, as a model file of ours has it."""
    description, tensors = read_model(path)
    if description is None:
        sys.exit(f"twin.py: {path}: not a model file of ours: srgan-convert "
                 "makes one")
    for layer in description["layers"]:
        if layer["operation"] == "conv":
            layer["bias"] = layer["name"] + ".bias" in tensors
    network = Network(description["layers"],
                      1 if description["colour"] == "y" else 3)
    network.take(tensors)
    return network


def take_state_dict(network, tensors):
    """What srgan-convert --to pytorch wrote: the same tensors in the same
    order, by other names."""
    names = [name for name, _ in network.tensors()]
    if len(names) != len(tensors):
        sys.exit(f"twin.py: {len(tensors)} tensors, {len(names)} expected")
    if network.take(dict(zip(names, tensors.values()))) != len(names):
        sys.exit("twin.py: tensors of other shapes")


def grow(network, layers, tensors):
    """Net2Net, as srgan-train's growth.c: the network, a chain, computes what
    a smaller chain does, that of a model file. Channels that are added are as
    they were drawn, and nothing reads them yet; layers that are added hand
    on."""
    ours, theirs = ([layer for layer in part if layer["operation"] == "conv"]
                    for part in (network.layers, layers))
    widths = [tensors[layer["name"] + ".weight"].shape[0]
              for layer in theirs[:-1]]
    act = ours[0]["activation"]
    if (not 1 < len(theirs) <= len(ours) or
            max(widths) > ours[0]["out_channels"] or
            theirs[0]["activation"] != act or
            (len(theirs) < len(ours) and act == "leaky-relu")):
        sys.exit("twin.py: network.grow: that start cannot be grown into this")
    inner, given, widest = len(ours) - 2, len(theirs) - 2, max(widths)

    def count(n):
        return (2 * n * given + inner) // (2 * inner) if n else 0

    with torch.no_grad():
        for i, layer in enumerate(ours):
            conv = network.modules_by_name[layer["name"]]
            slope = network.slopes[layer["name"]] if (
                layer["name"] in network.slopes) else None
            if 0 < i <= inner and count(i) == count(i - 1):
                conv.weight[:widest] = 0
                conv.weight[range(widest), range(widest), 1, 1] = 1
                conv.bias[:widest] = 0
                if slope is not None:
                    slope[:widest] = 1
                continue
            name = theirs[0 if i == 0 else count(i) if i <= inner else -1]["name"]
            weight = tensors[name + ".weight"]
            out, source = weight.shape[:2]
            if i > inner and out != conv.weight.shape[0]:
                continue  # another scale
            conv.weight[:out] = 0
            conv.weight[:out, :source] = weight
            conv.bias[:out] = tensors[name + ".bias"]
            if slope is not None:
                slope[:out] = tensors[name + ".slope"]


# --- Losses: each a mean over the batch --------------------------------------


def pixel_loss(kind, epsilon, output, target):
    difference = output - target
    if kind == "l1":
        return difference.abs().mean()
    if kind == "l2":
        return (difference ** 2).mean()
    if kind == "charbonnier":
        return (torch.sqrt(difference ** 2 + epsilon ** 2) - epsilon).mean()
    if kind == "original-l1":
        e = 1 / 255
        return 1000 * (torch.sqrt(difference ** 2 + e ** 2) - e).mean()
    return 255e3 * (difference ** 2).mean()


def ssim_loss(output, target, n_scales):
    """1 - SSIM, or MS-SSIM (Wang, Simoncelli, Bovik 2003), of each channel."""
    exponents = (.0448, .2856, .3001, .2363, .1333)
    places = torch.arange(11, device=output.device) - 5.
    window = torch.exp(-places ** 2 / (2 * 1.5 ** 2))
    window = torch.outer(window, window)
    window = (window / window.sum())[None, None]
    side = min(output.shape[-2:])
    most = 1
    while most < n_scales and side >> most >= 11:
        most += 1
    x = output.reshape(-1, 1, *output.shape[-2:])
    y = target.reshape(-1, 1, *target.shape[-2:])
    product, total = 1, sum(exponents[:most])
    for s in range(most):
        if s > 0:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        mx, my, xx, yy, xy = (F.conv2d(values, window)
                              for values in (x, y, x * x, y * y, x * y))
        mean = (2 * (xy - mx * my) + .03 ** 2) / (
            xx - mx * mx + yy - my * my + .03 ** 2)
        if s + 1 == most:
            mean = mean * (2 * mx * my + .01 ** 2) / (
                mx * mx + my * my + .01 ** 2)
        mean = mean.mean((1, 2, 3)).clamp(min=1e-4)
        product = product * (mean if most == 1
                             else mean ** (exponents[s] / total))
    return (1 - product).mean()


def fourier_loss(output, target):
    tiny = 1e-12
    a = torch.fft.fft2(output, norm="ortho")
    b = torch.fft.fft2(target, norm="ortho")

    def length(z):
        return torch.sqrt(z.real ** 2 + z.imag ** 2 + tiny)

    return .5 * ((length(a) - length(b)).abs() + length(a - b)).mean()


class Perceptual(nn.Module):
    """How differently a feature network sees two pictures."""

    def __init__(self, recipe):
        super().__init__()
        self.form, self.furthest_shift = recipe["features.form"], 15
        if recipe["features.model"]:
            self.network = load_network(recipe["features.model"])
            description, _ = read_model(recipe["features.model"])
            wanted = description["notes"].get("features", "")
        else:
            self.network = Network(
                design_features(recipe.count("features.channels")), 3,
                recipe.count("features.seed"))
            for conv in self.network.modules_by_name.values():
                nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            wanted = ""
        wanted = recipe["features.layers"] or wanted
        layers = self.network.layers
        if wanted:
            self.wanted = [name.strip() for name in wanted.split(";")]
        else:
            self.wanted = [layer["inputs"][0] for layer in layers
                           if layer.get("stride", 1) > 1]
            self.wanted = [name for name in self.wanted if name != "input"]
            self.wanted.append(layers[-1]["name"])
        self.requires_grad_(False)

    def look(self, picture):
        """Called outside of autocast: in fp32."""
        if picture.shape[1] == 1:
            # limited-range luma to full-range grey
            picture = (picture * (255 / 219) - 16 / 219).repeat(1, 3, 1, 1)
        return self.network(picture, self.wanted)

    def forward(self, output, target):
        # else what makes pictures smaller would always see the same places
        shifts = [random.randrange(self.furthest_shift + 1) for _ in range(2)]
        output, target = (torch.roll(picture, shifts, (2, 3))
                          for picture in (output, target))
        with torch.no_grad():
            seen = self.look(target)
        total = 0
        for a, b in zip(self.look(output), seen):
            if self.form == "direction":
                floor = .01 * (b ** 2).sum(1).mean((1, 2)) + 1e-6
                a, b = (x / ((x ** 2).sum(1) + floor[:, None, None]).sqrt()[:, None]
                        for x in (a, b))
                total += ((a - b) ** 2).sum(1).mean()
                continue
            total += (((a - b) ** 2).sum((1, 2, 3)) / (
                (b ** 2).sum((1, 2, 3)) + 1e-6 * b[0].numel())).mean()
        return total / len(self.wanted)


def criterion(recipe, group, perceptual, output, target):
    weight = {name: recipe.number(f"{group}.{name}-weight") for name in
              ("pixel", "ssim", "ms-ssim", "fourier", "perceptual")}
    loss = weight["pixel"] * pixel_loss(
        recipe["training.loss"], recipe.number("training.charbonnier-epsilon"),
        output, target)
    if weight["ssim"] > 0:
        loss = loss + weight["ssim"] * ssim_loss(output, target, 1)
    if weight["ms-ssim"] > 0:
        loss = loss + weight["ms-ssim"] * ssim_loss(output, target, 5)
    if weight["fourier"] > 0:
        loss = loss + weight["fourier"] * fourier_loss(output, target)
    if weight["perceptual"] > 0:
        loss = loss + weight["perceptual"] * perceptual(output, target)
    return loss


def adversarial_losses(form, real, made):
    """The discriminator's and the generator's, of verdicts (logits)."""
    def says(verdicts, yes):
        return F.softplus(-verdicts if yes else verdicts).mean()

    if form == "standard":
        return says(real, True) + says(made, False), says(made, True)
    r, m = real - made.mean(), made - real.mean()
    return says(r, True) + says(m, False), says(m, True) + says(r, False)


# --- Optimizers --------------------------------------------------------------


class Optimizer:
    """Adam (Kingma, Ba 2015), and SOAP (Vyas et al. 2024) for the weights of
    convolutions; rates that rise, then fall along a cosine."""

    LARGEST_SIDE = 1200

    def __init__(self, recipe, parameters, kind, rate, other_rate, steps):
        self.recipe, self.steps = recipe, steps
        self.parameters = list(parameters)
        self.rates = [rate if p.dim() > 1 else other_rate
                      for p in self.parameters]
        self.state = [{} for _ in self.parameters]
        self.bases = [kind == "soap" and p.dim() > 1 and
                      max(len(p), p[0].numel()) <= self.LARGEST_SIDE
                      for p in self.parameters]
        self.norm = 0.

    def adam(self, state, gradient, second_moment, updates):
        first = self.recipe.number("training.first-moment")
        if "first" not in state:
            state["first"] = torch.zeros_like(gradient)
            state["second"] = torch.zeros_like(gradient)
        state["first"].lerp_(gradient, 1 - first)
        state["second"].lerp_(gradient ** 2, 1 - second_moment)
        return (state["first"] / (1 - first ** updates)) / (
            (state["second"] / (1 - second_moment ** updates)).sqrt() + 1e-8)

    def soap(self, state, gradient, step):
        """None at the first step, which only finds the first bases."""
        decay = self.recipe.number("training.preconditioner-moment")
        products = (gradient @ gradient.T, gradient.T @ gradient)
        if step == 0:
            state["moments"] = [(1 - decay) * p for p in products]
            # eigenvectors as rows, the largest eigenvalue's first
            state["bases"] = [torch.linalg.eigh(m)[1].T.flip(0)
                              for m in state["moments"]]
            return None
        left, right = state["bases"]
        direction = left.T @ self.adam(
            state, left @ gradient @ right.T,
            self.recipe.number("training.second-moment"), step) @ right
        for moment, product in zip(state["moments"], products):
            moment.lerp_(product, 1 - decay)
        if step % self.recipe.count("training.basis-interval") == 0:
            first = left.T @ state["first"] @ right
            for side in (0, 1):
                basis = state["bases"][side]
                turned = basis @ state["moments"][side]
                order = (turned * basis).sum(1).argsort(descending=True)
                state["second"] = (state["second"][order] if side == 0
                                   else state["second"][:, order])
                state["bases"][side] = torch.linalg.qr(turned[order].T)[0].T
            left, right = state["bases"]
            state["first"] = left @ first @ right.T
        return direction

    @torch.no_grad()
    def step(self, step):
        recipe, warm_up = self.recipe, self.recipe.count("training.warm-up")
        share = min(1, (step + 1) / warm_up) if warm_up else 1.
        share *= .5 * (1 + math.cos(math.pi * min(step, self.steps) /
                                    self.steps))
        clip = recipe.number("training.clip")
        if clip > 0:
            norm = math.sqrt(sum(float((p.grad.double() ** 2).sum())
                                 for p in self.parameters))
            if step > 0 and norm > clip * self.norm:
                for p in self.parameters:
                    p.grad *= clip * self.norm / norm
                norm = clip * self.norm
            self.norm = norm if step == 0 else self.norm * .99 + norm * .01
        for p, state, rate, bases in zip(self.parameters, self.state,
                                         self.rates, self.bases):
            gradient = p.grad.float()
            gradient += 2 * recipe.number("training.weight-decay") * p
            if bases:
                # [out][ky][kx][in], as srgan-train lays them out
                matrix = gradient.permute(0, 2, 3, 1)
                direction = self.soap(state, matrix.reshape(len(p), -1), step)
                if direction is None:
                    continue
                direction = direction.reshape(matrix.shape).permute(0, 3, 1, 2)
            else:
                direction = self.adam(
                    state, gradient,
                    recipe.number("training.other-second-moment"), step + 1)
            p -= rate * share * direction


# --- Pictures and patches ----------------------------------------------------

MASK = (1 << 64) - 1


def draw_lot(path):
    """0 .. 1, whether a picture is held back: as srgan-train draws it, crops
    NAME_0, NAME_1 ... of one picture together."""
    stem = os.path.basename(path).rsplit(".", 1)[0]
    head, _, tail = stem.rpartition("_")
    if head and tail.isdigit():
        stem = head
    hash_ = 0xcbf29ce484222325
    for byte in stem.encode():
        hash_ = ((hash_ ^ byte) * 0x100000001b3) & MASK
    for _ in range(4):
        hash_ = (hash_ + 0x9e3779b97f4a7c15) & MASK
        z = hash_
        z = ((z ^ (z >> 30)) * 0xbf58476d1ce4e5b9) & MASK
        z = ((z ^ (z >> 27)) * 0x94d049bb133111eb) & MASK
        z ^= z >> 31
        if _ < 3:
            hash_ = z
    return (z >> 11) * 2. ** -53


def read_pictures(recipe):
    """Of training and of validation: uint8 [row][column][3]."""
    folder, kinds = recipe["data.folder"], (
        ".png", ".jpg", ".jpeg", ".webp", ".bmp", ".ppm", ".tif", ".tiff")
    videos = (".mp4", ".mkv", ".webm", ".mov", ".m4v", ".avi", ".ts", ".mpg",
              ".mpeg", ".ogv")
    smallest = recipe.count("data.patch") * recipe.count("network.scale")
    if os.path.isfile(folder):
        sys.exit(f"twin.py: data.folder={folder}: srgan-train reads videos, "
                 "this does not: name a folder of pictures")
    everything = sorted(os.path.join(top, name)
                        for top, _, names in os.walk(folder, followlinks=True)
                        for name in names)
    for path in everything:
        if path.lower().endswith(videos):
            print(f"left out: {path}: srgan-train reads videos, this does not")
    paths = [path for path in everything if path.lower().endswith(kinds)]
    if not paths:
        sys.exit(f"twin.py: no pictures in {folder}: name their folder in "
                 "data.folder (--data)")
    try:
        from PIL import Image
    except ImportError:
        sys.exit("twin.py: PIL, which reads pictures, is not there: on Debian "
                 "install python3-pil")
    below = max(recipe.number("data.held-back"),
                min(draw_lot(path) for path in paths) + 1e-9)
    training, validation = [], []
    for path in paths:
        held_back = draw_lot(path) < below
        if held_back and len(validation) >= recipe.count(
                "data.validation-pictures"):
            continue
        try:
            with Image.open(path) as picture:
                pixels = np.asarray(picture.convert("RGB"))
        except OSError as error:
            print(f"left out: {path}: {error}")
            continue
        if min(pixels.shape[:2]) < smallest:
            print(f"left out: {path} is {pixels.shape[1]}x{pixels.shape[0]}: a "
                  f"patch needs {smallest}x{smallest}")
            continue
        (validation if held_back else training).append(pixels)
    if not training or not validation:
        sys.exit(f"twin.py: {folder}: {len(training)} pictures to train on, "
                 f"{len(validation)} held back: one of each is needed")
    return training, validation


def to_planes(pixels, colour):
    """8-bit R'G'B' to 8-bit codes [channel][row][column]."""
    rgb = torch.from_numpy(np.ascontiguousarray(pixels)).float()
    if colour == "y":
        weights = torch.tensor([65.481, 128.553, 24.966]) / 255
        return (16 + rgb @ weights)[None]
    return rgb.permute(2, 0, 1)


def resize(planes, size, how):
    """MATLAB's imresize, but for what lies beyond the edges."""
    if how == "box":
        return F.interpolate(planes[None], size=(size, size), mode="area")[0]
    return F.interpolate(planes[None], size=(size, size), mode=how,
                         align_corners=False, antialias=True)[0].clone()


def blur(planes, sigma):
    places = torch.arange(-4, 5.)
    window = torch.exp(-places ** 2 / (2 * sigma * sigma))
    window = window / window.sum()
    planes = F.pad(planes[None], (4, 4, 4, 4), mode="reflect").transpose(0, 1)
    planes = F.conv2d(planes, window.reshape(1, 1, 1, -1))
    return F.conv2d(planes, window.reshape(1, 1, -1, 1))[:, 0]


def to_linear(codes, luma):
    x = (codes - 16) / 219 if luma else codes / 255
    return torch.where(x <= .04045, x / 12.92,
                       ((x.clamp(min=0) + .055) / 1.055) ** 2.4)


def from_linear(light, luma):
    x = torch.where(light <= .0031308, light * 12.92,
                    1.055 * light.clamp(min=0) ** (1 / 2.4) - .055)
    return x * 219 + 16 if luma else x * 255


def cut(pixels, left, top, side):
    """A square window; what lies outside the picture is mirrored."""
    def mirror(first, size):
        i = np.arange(first, first + side) % (2 * size)
        return np.where(i < size, i, 2 * size - 1 - i)

    return pixels[np.ix_(mirror(top, pixels.shape[0]),
                         mirror(left, pixels.shape[1]))]


def make_pair(recipe, pixels, lots, patch, varied):
    """Input and target of a patch, 0 .. 1."""
    colour, scale = recipe["network.colour"], recipe.count("network.scale")
    side, margin = patch * scale, 4 * scale
    window = side + 2 * margin
    ratio, sigma = 1., None
    if lots.random() < recipe.number("data.softened"):
        if lots.random() < recipe.number("data.blurred"):
            sigma = lots.uniform(*recipe.numbers("data.blur-sigma"))
        else:
            ratio = lots.uniform(*recipe.numbers("data.reduction"))
            ratio = min(1., max(ratio, side / min(pixels.shape[:2])))
    reach = math.ceil(window / ratio)
    inside = math.floor(side / ratio)
    left = lots.randrange(pixels.shape[1] - inside + 1)
    top = lots.randrange(pixels.shape[0] - inside + 1)
    border = math.ceil(margin / ratio)
    large = to_planes(cut(pixels, left - border, top - border, reach), colour)
    if sigma is not None:
        large = blur(large, sigma)
    elif reach != window:
        large = resize(large, window,
                       lots.choice(recipe.list("data.reduction-filter")))
    down = lots.choice(recipe.list("data.downscale"))
    if varied:
        factor = lots.uniform(*recipe.numbers("data.contrast"))
        offset = 255 * lots.uniform(*recipe.numbers("data.brightness"))
        if factor != 1 or offset != 0:
            large = ((large - 127.5) * factor + 127.5 + offset).clamp(0, 255)
    target = large[:, margin:margin + side, margin:margin + side]
    if down.endswith("-linear"):
        large = to_linear(large, colour == "y")
    small = resize(large, window // scale, down.replace("-linear", ""))
    if down.endswith("-linear"):
        small = from_linear(small, colour == "y")
    small = small[:, 4:4 + patch, 4:4 + patch].clamp(0, 255)
    if recipe.flag("data.round"):
        small = small.round()
    if varied and recipe.flag("data.flips"):
        turns = recipe.list("data.turns")
        flips = [axis for axis, name in ((2, "horizontal"), (1, "vertical"))
                 if name in turns and lots.random() < .5]
        quarters = lots.randrange(4) if "rotation" in turns else 0
        small, target = (torch.rot90(planes.flip(flips), quarters, (1, 2))
                         for planes in (small, target))
    return small.contiguous() / 255, target.contiguous() / 255


class Patches(torch.utils.data.Dataset):
    """Patch i of step s is number s batch + i: the same on any number of
    workers, and after a restart."""

    def __init__(self, recipe, pictures, first, last):
        self.recipe, self.pictures = recipe, pictures
        self.numbers = range(first * recipe.count("training.batch"),
                             last * recipe.count("training.batch"))

    def __len__(self):
        return len(self.numbers)

    def __getitem__(self, i):
        lots = random.Random(
            f"{self.recipe['training.seed']} {self.numbers[i]}")
        return make_pair(self.recipe, lots.choice(self.pictures), lots,
                         self.recipe.count("data.patch"), True)


# --- Training ----------------------------------------------------------------


class Training:
    def __init__(self, recipe, options):
        self.recipe, self.options = recipe, options
        self.output = recipe["output.file"] or (
            recipe["network.name"] + ".safetensors")
        self.checkpoint = recipe["output.checkpoint"] or self.output + ".ckpt"
        self.fidelity_steps = recipe.count("training.steps")
        self.n_steps = self.fidelity_steps + recipe.count("adversarial.steps")
        self.step, self.best = 0, -math.inf
        channels = 1 if recipe["network.colour"] == "y" else 3
        seed = recipe.count("training.seed")
        self.network = Network(design_generator(recipe), channels, seed)
        if recipe["network.start"]:
            description, tensors = read_model(recipe["network.start"])
            if description is None:
                take_state_dict(self.network, tensors)
            elif recipe.flag("network.grow"):
                grow(self.network, description["layers"], tensors)
            elif self.network.take(tensors) == 0:
                sys.exit(f"twin.py: {recipe['network.start']}: no layer of the "
                         "same name and shape")
        self.network.to(options.device)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.perceptual = None
        if max(recipe.number("training.perceptual-weight"),
               recipe.number("adversarial.perceptual-weight")
               if recipe.count("adversarial.steps") else 0) > 0:
            self.perceptual = Perceptual(recipe).to(options.device)
        self.optimizer = Optimizer(
            recipe, self.network.parameters(), recipe["training.optimizer"],
            recipe.number("training.learning-rate"),
            recipe.number("training.other-learning-rate"),
            max(self.fidelity_steps, 1))
        self.rival = self.rival_optimizer = None

    def start_adversarial(self):
        recipe, channels = self.recipe, (
            1 if self.recipe["network.colour"] == "y" else 3)
        rate = recipe.number("adversarial.learning-rate")
        self.rival = Network(design_discriminator(recipe), channels,
                             recipe.count("training.seed") + 1)
        kind = recipe["adversarial.discriminator"]
        for conv in self.rival.modules_by_name.values():
            # of the U-Net all but the ends, which have a bias
            if kind == "patch" or (kind == "unet" and conv.bias is None):
                nn.utils.parametrizations.spectral_norm(conv)
        self.rival.to(self.options.device)
        steps = recipe.count("adversarial.steps")
        self.optimizer = Optimizer(recipe, self.network.parameters(), "adam",
                                   rate, rate, steps)
        rate = recipe.number("adversarial.discriminator-learning-rate")
        self.rival_optimizer = Optimizer(
            recipe, self.rival.parameters(), "adam", rate, rate, steps)

    def save(self):
        state = {"step": self.step, "best": self.best,
                 "recipe": self.recipe.to_text(),
                 "network": self.network.state_dict(),
                 "average": self.average.state_dict(),
                 "optimizer": (self.optimizer.state, self.optimizer.norm)}
        if self.rival is not None:
            state["rival"] = self.rival.state_dict()
            state["rival_optimizer"] = (self.rival_optimizer.state,
                                        self.rival_optimizer.norm)
        torch.save(state, self.checkpoint + ".new")
        os.replace(self.checkpoint + ".new", self.checkpoint)

    def resume(self):
        if not os.path.exists(self.checkpoint):
            return
        state = torch.load(self.checkpoint, map_location=self.options.device)
        if state["recipe"] != self.recipe.to_text():
            sys.exit(f"twin.py: {self.checkpoint} is of another recipe: remove "
                     "it, or name another output")
        self.step, self.best = state["step"], state["best"]
        if self.step > self.fidelity_steps:
            self.start_adversarial()
            self.rival.load_state_dict(state["rival"])
            self.rival_optimizer.state, self.rival_optimizer.norm = state[
                "rival_optimizer"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.state, self.optimizer.norm = state["optimizer"]
        print(f"continuing {self.checkpoint} after step {self.step}")

    def make_step(self, inputs, targets):
        recipe, group = self.recipe, "training"
        if self.rival is not None:
            group = "adversarial"
        self.network.train()
        with torch.autocast(self.options.device.split(":")[0], torch.bfloat16,
                            enabled=self.options.bf16):
            outputs = self.network(inputs)
        outputs = outputs.float()
        loss = criterion(recipe, group, self.perceptual, outputs, targets)
        if self.rival is not None:
            form = recipe["adversarial.form"]
            self.rival.train().requires_grad_(True)
            rival_loss, _ = adversarial_losses(
                form, self.rival(targets), self.rival(outputs.detach()))
            gradients = torch.autograd.grad(
                rival_loss, self.rival_optimizer.parameters)
            self.rival.requires_grad_(False)
            _, generator = adversarial_losses(
                form, self.rival(targets).detach(), self.rival(outputs))
            loss = loss + recipe.number("adversarial.weight") * generator
        self.network.zero_grad(set_to_none=True)
        loss.backward()
        if not math.isfinite(float(loss.detach())):
            sys.exit(f"twin.py: the loss is no longer a number at step "
                     f"{self.step + 1}: lower training.learning-rate; "
                     f"{self.checkpoint} and {self.output} are as they last "
                     "were")
        begun = self.fidelity_steps if self.rival is not None else 0
        self.optimizer.step(self.step - begun)
        if self.rival is not None:
            for p, gradient in zip(self.rival_optimizer.parameters, gradients):
                p.grad = gradient
            self.rival_optimizer.step(self.step - begun)
        # a short memory at first, when the weights still run away from it
        keep = min(recipe.number("training.average"),
                   (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, value in zip(self.average.state_dict().values(),
                                   self.network.state_dict().values()):
                if mean.dtype.is_floating_point:
                    mean.lerp_(value, 1 - keep)
        self.step += 1
        return loss.detach()

    @torch.no_grad()
    def validate(self, pictures):
        """PSNR of the luma, as papers measure it."""
        scale, total = self.recipe.count("network.scale"), 0.
        self.average.eval()
        for i, pixels in enumerate(pictures):
            patch = min(max(192 // scale, self.recipe.count("data.patch")),
                        min(pixels.shape[:2]) // scale)
            small, target = make_pair(self.recipe, pixels, random.Random(i),
                                      patch, False)
            output = self.average(small[None].to(self.options.device))[0].cpu()
            a, b = (planes.clamp(0, 1)[:, scale:-scale, scale:-scale] * 255
                    for planes in (output, target))
            if len(a) == 3:
                weights = torch.tensor([65.481, 128.553, 24.966]) / 255
                a, b = (torch.tensordot(weights, x, 1) for x in (a, b))
            total += 10 * math.log10(255 ** 2 / max(
                float(((a - b) ** 2).mean()), 1e-10))
        return total / len(pictures)

    def write(self, score):
        recipe = self.recipe
        stem, dot, ending = self.output.rpartition(".")
        path = self.output
        if self.rival is None and recipe.count("adversarial.steps"):
            path = f"{stem}-fidelity{dot}{ending}"
        write_model(path, self.average, recipe["network.name"],
                    recipe["network.colour"], recipe.count("network.scale"),
                    {"recipe": recipe.to_text(),
                     "scores": f"{score:.3f} dB on the pictures held back",
                     "steps": f"{self.step} of {self.n_steps}, PyTorch",
                     "training-data": recipe["output.training-data"],
                     "licence": recipe["output.licence"]})

    def run(self):
        training, validation = read_pictures(self.recipe)
        print(f"{len(training)} pictures to train on, {len(validation)} held "
              f"back; {self.options.device}")
        self.resume()
        loader = iter(torch.utils.data.DataLoader(
            Patches(self.recipe, training, self.step, self.n_steps),
            self.recipe.count("training.batch"),
            num_workers=self.options.workers,
            pin_memory=self.options.device != "cpu"))
        start, first = time.monotonic(), self.step
        while self.step < self.n_steps:
            if self.step == self.fidelity_steps and self.rival is None:
                self.network.load_state_dict(self.average.state_dict())
                self.start_adversarial()
                print("the adversarial phase begins")
            inputs, targets = (values.to(self.options.device, non_blocking=True)
                               for values in next(loader))
            loss = self.make_step(inputs, targets)
            end = self.step in (self.fidelity_steps, self.n_steps)
            if end or self.step % self.recipe.count(
                    "output.validation-interval") == 0:
                score = self.validate(validation)
                # pictures that please have no higher PSNR: the last are kept
                better = self.rival is not None or score > self.best
                speed = (self.step - first) / (time.monotonic() - start)
                print(f"step {self.step} of {self.n_steps}, loss "
                      f"{float(loss):.5f}, {score:.3f} dB"
                      f"{', kept' if better else ''}, {speed:.1f} steps/s",
                      flush=True)
                if better:
                    self.best = score
                    self.write(score)
            if end or self.step % self.recipe.count(
                    "output.checkpoint-interval") == 0:
                self.save()


def main():
    parser = argparse.ArgumentParser(
        description="srgan-train's twin in PyTorch")
    parser.add_argument("recipe", help="a key file of srgan-train")
    parser.add_argument("-d", "--data", help="data.folder")
    parser.add_argument("-o", "--output", help="output.file")
    parser.add_argument("-s", "--set", action="append", default=[],
                        metavar="GROUP.KEY=VALUE", help="one setting")
    parser.add_argument("--device", help="PyTorch's name of one; by default "
                        "cuda where there is a GPU",
                        default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--bf16", action="store_true",
                        help="products in bfloat16, sums and weights in fp32")
    parser.add_argument("--workers", type=int, default=2,
                        help="processes that prepare patches; 0: none")
    options = parser.parse_args()
    recipe = Recipe()
    recipe.load(options.recipe)
    for setting in options.set:
        key, separator, value = setting.partition("=")
        if not separator:
            sys.exit(f"twin.py: --set {setting}: GROUP.KEY=VALUE is needed")
        recipe.put(key, value)
    if options.data:
        recipe.put("data.folder", options.data)
    if options.output:
        recipe.put("output.file", options.output)
    Training(recipe, options).run()


if __name__ == "__main__":
    main()
