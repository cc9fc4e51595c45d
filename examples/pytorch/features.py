#!/usr/bin/env python3
"""Trains a feature network for srgan-train's perceptual loss, on photographs.

    features.py --data FOLDER --network high-clean-x4.safetensors -o OUT

OUT is a model file of ours, for features.model in a recipe. Nobody has to have
named what is in the photographs: the network learns to tell, of a patch of 64
pixels in grey, which photograph it was cut from, what was done to it (blur,
reduction, enlargement by --network, noise, JPEG, sharpening, invented texture,
places moved about) and how much of it. What it needs to see for that is what is
lost when pictures are enlarged. 2,600 steps take some twelve minutes on a core
with AMX.

Needs PyTorch (1.13 or later), numpy and PIL; twin.py, beside it, reads and
writes the model files.

SPDX-License-Identifier: MIT
"""

import argparse
import io
import math
import os
import random

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

import twin

SIDE, MARGIN = 64, 8
WINDOW = SIDE + 2 * MARGIN
# channels of the convolutions; 0: the map is halved
DESIGN = (32, 0, 32, 64, 0, 64, 96, 0, 96, 128)


class FeatureNetwork(nn.Module):
    def __init__(self, n_photographs):
        super().__init__()
        parts, channels = [], 1
        for width in DESIGN:
            if width == 0:
                parts.append(nn.MaxPool2d(2))
                continue
            parts += [nn.Conv2d(channels, width, 3, padding=1, bias=False),
                      nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        self.body = nn.Sequential(*parts)
        self.which = nn.Linear(2 * channels, n_photographs)
        self.what = nn.Linear(2 * channels, len(TREATMENTS))
        self.strength = nn.Linear(2 * channels, len(TREATMENTS))

    def forward(self, x):
        maps = self.body(x).float()
        seen = torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1)
        seen = F.dropout(seen, .2, self.training)
        return self.which(seen), self.what(seen), self.strength(seen)

    def write(self, path):
        """Batch-norms folded into the convolutions, grey made of R'G'B'."""
        layers, last, wanted = twin.Layers(), "input", []
        for i, width in enumerate(DESIGN):
            n = 1 + sum(w > 0 for w in DESIGN[:i])
            if width == 0:
                wanted.append(last)
                last = layers.add(f"pool{n - 1}", "max-pool", last,
                                  kernel_width=2, kernel_height=2, stride=2)
            else:
                last = layers.conv(f"conv{n}", last, width, 3, "relu")
        wanted.append(last)
        network = twin.Network(layers, 3)
        convs = [m for m in self.body if isinstance(m, nn.Conv2d)]
        norms = [m for m in self.body if isinstance(m, nn.BatchNorm2d)]
        with torch.no_grad():
            for target, conv, norm in zip(network.modules_by_name.values(),
                                          convs, norms):
                gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
                weight = conv.weight * gain[:, None, None, None]
                if weight.shape[1] == 1:
                    weight = weight.repeat(1, 3, 1, 1) / 3
                target.weight.copy_(weight)
                target.bias.copy_(norm.bias - norm.running_mean * gain)
        twin.write_model(path, network, "features", "rgb", 1,
                         {"ends": "features", "features": ";".join(wanted)})


# --- What is done to patches, [patch][1][row][column], 0 .. 1: each returns
# them and how much was done ---------------------------------------------------


def resize(x, side):
    return F.interpolate(x, size=(side, side), mode="bicubic", antialias=True,
                         align_corners=False)


def smooth(x, sigma):
    reach = int(3 * sigma + 1)
    places = torch.arange(-reach, reach + 1.)
    window = torch.exp(-places ** 2 / (2 * sigma * sigma))
    window = window / window.sum()
    x = F.pad(x, (reach,) * 4, mode="reflect")
    x = F.conv2d(x, window.reshape(1, 1, 1, -1))
    return F.conv2d(x, window.reshape(1, 1, -1, 1))


def nothing(x, _):
    return x, 0.


def blur(x, _):
    sigma = random.uniform(.5, 2.2)
    return smooth(x, sigma), sigma


def reduce(x, _):
    factor = random.choice((2, 3, 4))
    return resize(resize(x, WINDOW // factor), WINDOW), factor / 2


def enlarge(x, network):
    luma = (resize(x, WINDOW // 4) * 219 + 16) / 255
    return (network(luma) * 255 - 16) / 219, 0.


def invent(x, network):
    """Texture as strong as what is missing, but not the right one."""
    large, _ = enlarge(x, network)
    missing = F.avg_pool2d((large - x) ** 2, 9, 1, 4).sqrt()
    strength, noise = random.uniform(.3, 1.2), torch.randn_like(x)
    if random.random() < .5:
        noise = smooth(noise, random.uniform(.4, .9))
        noise = noise / noise.std()
    return large + noise * missing * strength, strength


def add_noise(x, _):
    sigma = random.uniform(1, 14)
    return x + torch.randn_like(x) * sigma / 255, sigma / 7


def compress(x, _):
    coded = []
    for patch in x:
        file = io.BytesIO()
        codes = (patch[0].clamp(0, 1) * 255).round().byte().numpy()
        Image.fromarray(codes).save(file, "jpeg", quality=random.randint(10, 70))
        coded.append(torch.from_numpy(np.array(Image.open(file))).float() / 255)
    return torch.stack(coded)[:, None], 0.


def sharpen(x, _):
    amount = random.uniform(.5, 2)
    return x + amount * (x - smooth(x, random.uniform(.7, 1.5))), amount


def jumble(x, _):
    distance, line = random.uniform(.5, 2), torch.linspace(-1, 1, WINDOW)
    places = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1)
    places = places + torch.randn(len(x), WINDOW, WINDOW, 2) * (
        distance * 1.2 / WINDOW)
    return F.grid_sample(x, places, mode="bilinear",
                         padding_mode="reflection",
                         align_corners=True), distance


TREATMENTS = (nothing, blur, reduce, enlarge, add_noise, compress, sharpen,
              invent, jumble)


# --- Photographs --------------------------------------------------------------


def get_photograph(path):
    """Crops NAME_0, NAME_1 ... are of one."""
    stem = os.path.basename(path).rsplit(".", 1)[0]
    head, _, tail = stem.rpartition("_")
    return head if head and tail.isdigit() else stem


def read_photographs(folder):
    """[(grey, number of the photograph)], less those that srgan-train holds
    back, and how many photographs they are of."""
    paths = sorted(os.path.join(top, name)
                   for top, _, names in os.walk(folder) for name in names
                   if name.lower().endswith((".png", ".jpg", ".jpeg", ".webp"))
                   and twin.draw_lot(name) >= .04)
    numbers, pictures = {}, []
    for path in paths:
        with Image.open(path) as picture:
            grey = np.asarray(picture.convert("L"))
        if min(grey.shape) >= 2 * WINDOW:
            number = numbers.setdefault(get_photograph(path), len(numbers))
            pictures.append((grey, number))
    return pictures, len(numbers)


def cut(pictures, n):
    side = WINDOW if random.random() < .6 else int(1.6 * SIDE) + 2 * MARGIN
    patches, numbers = [], []
    for _ in range(n):
        grey, number = random.choice(pictures)
        top = random.randrange(grey.shape[0] - side + 1)
        left = random.randrange(grey.shape[1] - side + 1)
        patch = grey[top:top + side, left:left + side]
        patches.append(patch[:, ::-1] if random.random() < .5 else patch)
        numbers.append(number)
    patches = torch.from_numpy(np.stack(patches)).float()[:, None] / 255
    return patches if side == WINDOW else resize(patches, WINDOW), numbers


def make_batch(pictures, network):
    patches, which, what, strength = [], [], [], []
    for kind in (0, *range(len(TREATMENTS))):
        n = 10 if TREATMENTS[kind] in (nothing, enlarge, invent) else 6
        x, numbers = cut(pictures, n)
        x, amount = TREATMENTS[kind](x, network)
        patches.append(x.clamp(0, 1)[..., MARGIN:-MARGIN, MARGIN:-MARGIN])
        which += numbers
        what += [kind] * n
        strength += [amount] * n
    x = torch.cat(patches)
    contrast = torch.rand(len(x), 1, 1, 1) * .6 + .7
    brightness = (torch.rand(len(x), 1, 1, 1) - .5) * .2
    x = ((x - .5) * contrast + .5 + brightness).clamp(0, 1)
    return (x.contiguous(memory_format=torch.channels_last),
            torch.tensor(which), torch.tensor(what), torch.tensor(strength))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--data", required=True, help="folder of photographs")
    parser.add_argument("--network", required=True,
                        help="a model file of ours, x4, luma: what it makes of "
                        "pictures is to be told from them")
    parser.add_argument("-o", "--output", required=True, help="model file")
    parser.add_argument("--steps", type=int, default=2600)
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()

    if options.threads:
        torch.set_num_threads(options.threads)
    random.seed(1)
    torch.manual_seed(1)
    enlarger = twin.load_network(options.network).requires_grad_(False)
    pictures, n_photographs = read_photographs(options.data)
    if not pictures:
        parser.error(f"no pictures of {2 * WINDOW} pixels in {options.data}")
    print(f"{len(pictures)} pictures of {n_photographs} photographs")
    network = FeatureNetwork(n_photographs).to(
        memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-4)
    right = [0., 0.]
    for step in range(options.steps):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * min(1, (step + 1) / 100) * (
                .5 + .5 * math.cos(math.pi * step / options.steps))
        x, which, what, strength = make_batch(pictures, enlarger)
        with torch.autocast("cpu", torch.bfloat16):
            verdicts = network(x)
        verdicts = [values.float() for values in verdicts]
        amounts = verdicts[2].gather(1, what[:, None])[:, 0]
        loss = (F.cross_entropy(verdicts[0], which, label_smoothing=.05) +
                F.cross_entropy(verdicts[1], what) +
                .5 * F.l1_loss(amounts, strength))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        for i, answers in enumerate((which, what)):
            right[i] += float((verdicts[i].argmax(1) == answers).float().mean())
        if (step + 1) % 100 == 0:
            print(f"step {step + 1}/{options.steps}  loss {float(loss):.3f}  "
                  f"right: which {right[0]:.1f} %, what {right[1]:.1f} %",
                  flush=True)
            right = [0., 0.]
    network.eval().write(options.output)


if __name__ == "__main__":
    main()
