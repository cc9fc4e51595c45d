#!/usr/bin/python3
"""Writes small models of every architecture that srgan-convert recognises, with
random weights, and what each makes of a picture.

    make-models.py FOLDER

FOLDER gets LIST.json, as the interoperability vectors have one. The networks are
written down here once more, after their authors' definitions, in numpy and
double precision: nothing is shared with the converter.

SPDX-License-Identifier: MIT
"""
import io
import json
import os
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict

import numpy as np

import keras_models
import onnx_files
import tensorflow_files

# --- A little PyTorch ---------------------------------------------------------


class Net:
    """Makes weights as they are asked for and remembers them by name."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.gain = 1.2
        self.state = OrderedDict()

    def tensor(self, name, make):
        if name not in self.state:
            self.state[name] = np.asarray(make(), np.float32)
        return self.state[name].astype(np.float64)

    def normal(self, name, shape, scale):
        return self.tensor(name, lambda: self.random.normal(0, scale, shape))

    def conv(self, name, x, out, k=3, stride=1, pad=None, bias=True, groups=1,
             edge_bias=None):
        fan = x.shape[0] // groups * k * k
        w = self.normal(name + ".weight", (out, x.shape[0] // groups, k, k),
                        self.gain / np.sqrt(fan))
        b = self.normal(name + ".bias", (out,), .1) if bias else None
        return conv2d(x, w, b, stride, k // 2 if pad is None else pad, groups)

    def linear(self, name, x, out):
        w = self.normal(name + ".weight", (out, x.size, 1, 1),
                        1 / np.sqrt(x.size))
        b = self.normal(name + ".bias", (out,), .1)
        return w[:, :, 0, 0] @ x + b

    def prelu(self, name, x, n):
        a = self.tensor(name + ".weight",
                        lambda: self.random.uniform(-.2, .4, n))
        return np.where(x > 0, x, x * (a if n > 1 else a[:1])
                        .reshape(-1, 1, 1))

    def norm(self, name, x, eps=1e-5):
        c = x.shape[0]
        w = self.tensor(name + ".weight",
                        lambda: self.random.uniform(.5, 1.5, c))
        b = self.normal(name + ".bias", (c,), .1)
        m = self.normal(name + ".running_mean", (c,), .1)
        v = self.tensor(name + ".running_var",
                        lambda: self.random.uniform(.5, 1.5, c))
        self.state[name + ".num_batches_tracked"] = np.int64(7)
        s = w / np.sqrt(v + eps)
        return x * s.reshape(-1, 1, 1) + (b - m * s).reshape(-1, 1, 1)

    def deconv(self, name, x, out, k, stride, pad, out_pad=0):
        w = self.normal(name + ".weight", (x.shape[0], out, k, k),
                        stride / np.sqrt(x.shape[0] * k * k))
        b = self.normal(name + ".bias", (out,), .1)
        c, h, wd = x.shape
        full = np.zeros((out, (h - 1) * stride + k + out_pad,
                         (wd - 1) * stride + k + out_pad))
        for dy in range(k):
            for dx in range(k):
                full[:, dy:dy + (h - 1) * stride + 1:stride,
                     dx:dx + (wd - 1) * stride + 1:stride] += np.einsum(
                         "chw,co->ohw", x, w[:, :, dy, dx])
        y = full[:, pad:full.shape[1] - pad, pad:full.shape[2] - pad]
        return y + b.reshape(-1, 1, 1)


def conv2d(x, w, b, stride=1, pad=0, groups=1):
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    k = w.shape[2]
    h = (x.shape[1] - k) // stride + 1
    wd = (x.shape[2] - k) // stride + 1
    parts = []
    for g in range(groups):
        ci, co = x.shape[0] // groups, w.shape[0] // groups
        xs, ws = x[g * ci:(g + 1) * ci], w[g * co:(g + 1) * co]
        y = np.zeros((co, h, wd))
        for dy in range(k):
            for dx in range(k):
                y += np.einsum("chw,oc->ohw",
                               xs[:, dy:dy + (h - 1) * stride + 1:stride,
                                  dx:dx + (wd - 1) * stride + 1:stride],
                               ws[:, :, dy, dx])
        parts.append(y)
    y = np.concatenate(parts)
    return y if b is None else y + b.reshape(-1, 1, 1)


def relu(x):
    return np.maximum(x, 0)


def leaky(x, slope):
    return np.where(x > 0, x, slope * x)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def silu(x):
    return x * sigmoid(x)


def shuffle(x, r):
    c, h, w = x.shape
    return x.reshape(c // (r * r), r, r, h, w).transpose(
        0, 3, 1, 4, 2).reshape(c // (r * r), h * r, w * r)


def unshuffle(x, r):
    c, h, w = x.shape
    return x.reshape(c, h // r, r, w // r, r).transpose(
        0, 2, 4, 1, 3).reshape(c * r * r, h // r, w // r)


def nearest(x, r):
    return x.repeat(r, 1).repeat(r, 2)


def bilinear(x, height, width):
    for axis, n in ((1, height), (2, width)):
        m = x.shape[axis]
        at = np.maximum((np.arange(n) + .5) * m / n - .5, 0)
        a = np.minimum(np.floor(at).astype(int), m - 1)
        b = np.minimum(a + 1, m - 1)
        f = at - a
        shape = [1, 1, 1]
        shape[axis] = n
        f = f.reshape(shape)
        x = np.take(x, a, axis) * (1 - f) + np.take(x, b, axis) * f
    return x


def max_pool(x, k, stride):
    h = (x.shape[1] - k) // stride + 1
    w = (x.shape[2] - k) // stride + 1
    y = np.full((x.shape[0], h, w), -np.inf)
    for dy in range(k):
        for dx in range(k):
            y = np.maximum(y, x[:, dy:dy + (h - 1) * stride + 1:stride,
                                dx:dx + (w - 1) * stride + 1:stride])
    return y


def means(x):
    return x.mean((1, 2))


# --- The architectures --------------------------------------------------------
# Each takes the net and the picture, [c][y][x] in 0 .. 1, and gives the picture.


def srvggnet(n, x, width=12, depth=3, scale=3):
    y = n.prelu("body.1", n.conv("body.0", x, width), width)
    for i in range(depth):
        y = n.prelu("body.%d" % (2 * i + 3),
                    n.conv("body.%d" % (2 * i + 2), y, width), width)
    y = n.conv("body.%d" % (2 * depth + 2), y, x.shape[0] * scale * scale)
    return shuffle(y, scale) + nearest(x, scale)


def rrdb_spelled(n, x, names, width, growth, blocks, ups, plus=False, fold=1):
    first, dense, body, up, hr, last, one = names
    u = unshuffle(x, fold) if fold > 1 else x
    trunk = y = n.conv(first, u, width)
    for b in range(blocks):
        start = y
        for r in (1, 2, 3):
            maps = [y]
            for c in (1, 2, 3, 4):
                m = leaky(n.conv(dense % (b, r, c), np.concatenate(maps),
                                 growth), .2)
                if plus and c == 2:
                    m = m + n.conv(one % (b, r), y, growth, 1, bias=False)
                if plus and c == 4:
                    m = m + maps[2]
                maps.append(m)
            y = n.conv(dense % (b, r, 5), np.concatenate(maps),
                       width) * .2 + y
        y = y * .2 + start
    y = n.conv(body, y, width) + trunk
    for i in range(ups):
        y = leaky(n.conv(up(i), nearest(y, 2), width), .2)
    y = leaky(n.conv(hr, y, width), .2)
    return n.conv(last, y, x.shape[0])


def rrdb_new(fold, blocks=1, width=16, growth=8):
    return lambda n, x: rrdb_spelled(
        n, x, ("conv_first", "body.%d.rdb%d.conv%d", "conv_body",
               lambda i: "conv_up%d" % (i + 1), "conv_hr", "conv_last", ""),
        width, growth, blocks, 2, fold=fold)


def rrdb_old(ups, blocks=2, width=12, growth=6, plus=False):
    return lambda n, x: rrdb_spelled(
        n, x, ("model.0", "model.1.sub.%d.RDB%d.conv%d.0",
               "model.1.sub.%d" % blocks, lambda i: "model.%d" % (3 * i + 3),
               "model.%d" % (3 * ups + 2), "model.%d" % (3 * ups + 4),
               "model.1.sub.%d.RDB%d.conv1x1"),
        width, growth, blocks, ups, plus)


def rrdb_trunk(n, x):
    return rrdb_spelled(
        n, x, ("conv_first", "RRDB_trunk.%d.RDB%d.conv%d", "trunk_conv",
               lambda i: "upconv%d" % (i + 1), "HRconv", "conv_last", ""),
        16, 4, 1, 1)


MEAN = np.array([.4488, .4371, .4040]).reshape(3, 1, 1)


def edsr(n, x, width=10, blocks=2, scale=4):
    n.state["sub_mean.weight"] = np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1)
    n.state["sub_mean.bias"] = (-255 * MEAN.ravel()).astype(np.float32)
    n.state["add_mean.weight"] = np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1)
    n.state["add_mean.bias"] = (255 * MEAN.ravel()).astype(np.float32)
    shift = n.state["add_mean.bias"].astype(np.float64).reshape(3, 1, 1)
    first = y = n.conv("head.0", x * 255 - shift, width)
    for i in range(blocks):
        y = y + n.conv("body.%d.body.2" % i,
                       relu(n.conv("body.%d.body.0" % i, y, width)), width)
    y = n.conv("body.%d" % blocks, y, width) + first
    if scale == 4:
        for i in (0, 2):
            y = shuffle(n.conv("tail.0.%d" % i, y, 4 * width), 2)
    else:
        y = shuffle(n.conv("tail.0.0", y, scale * scale * width), scale)
    return (n.conv("tail.1", y, 3) + shift) / 255


def edsr_basicsr(n, x, width=8, blocks=3):
    first = y = n.conv("conv_first", (x - MEAN) * 255, width)
    for i in range(blocks):
        y = y + n.conv("body.%d.conv2" % i,
                       relu(n.conv("body.%d.conv1" % i, y, width)), width)
    y = n.conv("conv_after_body", y, width) + first
    y = shuffle(n.conv("upsample.0", y, 9 * width), 3)
    return n.conv("conv_last", y, 3) / 255 + MEAN


def attention(n, y, squeeze, excite, width, reduced, v=None):
    s = relu(n.linear(squeeze, means(y) if v is None else v, reduced))
    return y * sigmoid(n.linear(excite, s, width)).reshape(-1, 1, 1)


def rcan(n, x, width=8, groups=2, blocks=2):
    shift = 255 * MEAN
    first = y = n.conv("head.0", x * 255 - shift, width)
    for g in range(groups):
        start = y
        for b in range(blocks):
            p = "body.%d.body.%d.body." % (g, b)
            r = n.conv(p + "2", relu(n.conv(p + "0", y, width)), width)
            y = y + attention(n, r, p + "3.conv_du.0", p + "3.conv_du.2",
                              width, 2)
        y = n.conv("body.%d.body.%d" % (g, blocks), y, width) + start
    y = n.conv("body.%d" % groups, y, width) + first
    y = shuffle(n.conv("tail.0.0", y, 4 * width), 2)
    return (n.conv("tail.1", y, 3) + shift) / 255


def msrresnet(n, x, width=12, blocks=2, scale=4):
    y = leaky(n.conv("conv_first", x, width), .1)
    for i in range(blocks):
        y = y + n.conv("body.%d.conv2" % i,
                       relu(n.conv("body.%d.conv1" % i, y, width)), width)
    if scale == 4:
        for i in ("upconv1", "upconv2"):
            y = leaky(shuffle(n.conv(i, y, 4 * width), 2), .1)
    else:
        y = leaky(shuffle(n.conv("upconv1", y, scale * scale * width), scale),
                  .1)
    y = n.conv("conv_last", leaky(n.conv("conv_hr", y, width), .1), 3)
    return y + bilinear(x, x.shape[1] * scale, x.shape[2] * scale)


IMAGENET = (np.array([.485, .456, .406]).reshape(3, 1, 1),
            np.array([.229, .224, .225]).reshape(3, 1, 1))


def srresnet_leftthomas(n, x, width=12, blocks=3, stages=1):
    first = y = n.prelu("block1.1", n.conv("block1.0", x, width, 9), 1)
    for i in range(2, 2 + blocks):
        p = "block%d." % i
        r = n.prelu(p + "prelu", n.norm(p + "bn1", n.conv(p + "conv1", y,
                                                          width)), 1)
        y = y + n.norm(p + "bn2", n.conv(p + "conv2", r, width))
    p = "block%d." % (2 + blocks)
    y = n.norm(p + "1", n.conv(p + "0", y, width)) + first
    p = "block%d." % (3 + blocks)
    for i in range(stages):
        y = n.prelu(p + "%d.prelu" % i,
                    shuffle(n.conv(p + "%d.conv" % i, y, 4 * width), 2), 1)
    return (np.tanh(n.conv(p + "%d" % stages, y, 3, 9)) + 1) / 2


def srresnet_sgrvinod(n, x, width=8, blocks=2):
    first = y = n.prelu("net.conv_block1.conv_block.1",
                        n.conv("net.conv_block1.conv_block.0",
                               (x - IMAGENET[0]) / IMAGENET[1], width, 9), 1)
    for i in range(blocks):
        p = "net.residual_blocks.%d." % i
        r = n.norm(p + "conv_block1.conv_block.1",
                   n.conv(p + "conv_block1.conv_block.0", y, width))
        r = n.prelu(p + "conv_block1.conv_block.2", r, 1)
        y = y + n.norm(p + "conv_block2.conv_block.1",
                       n.conv(p + "conv_block2.conv_block.0", r, width))
    y = n.norm("net.conv_block2.conv_block.1",
               n.conv("net.conv_block2.conv_block.0", y, width)) + first
    for i in range(2):
        p = "net.subpixel_convolutional_blocks.%d." % i
        y = n.prelu(p + "prelu", shuffle(n.conv(p + "conv", y, 4 * width), 2),
                    1)
    return (np.tanh(n.conv("net.conv_block3.conv_block.0", y, 3, 9)) + 1) / 2


def srresnet_lornatang(n, x, width=8, blocks=2):
    first = y = n.prelu("conv1.1", n.conv("conv1.0", x, width, 9), 1)
    for i in range(blocks):
        p = "trunk.%d.rcb." % i
        r = n.norm(p + "1", n.conv(p + "0", y, width, bias=False))
        r = n.prelu(p + "2", r, 1)
        y = y + n.norm(p + "4", n.conv(p + "3", r, width, bias=False))
    y = n.norm("conv2.1", n.conv("conv2.0", y, width, bias=False)) + first
    p = "upsampling.0.upsample_block."
    y = n.prelu(p + "2", shuffle(n.conv(p + "0", y, 4 * width), 2), 1)
    return np.clip(n.conv("conv3", y, 3, 9), 0, 1)


def srresnet_gan(n, x, width=8, blocks=2):
    first = y = n.prelu("conv1.1", n.conv("conv1.0", (x - IMAGENET[0]) /
                                          IMAGENET[1], width, 9), 1)
    for i in range(blocks):
        p = "res_blocks.%d.conv_block." % i
        r = n.prelu(p + "2", n.norm(p + "1", n.conv(p + "0", y, width), .8), 1)
        y = y + n.norm(p + "4", n.conv(p + "3", r, width), .8)
    y = n.norm("conv2.1", n.conv("conv2.0", y, width), .8) + first
    for i in (0, 4):
        y = n.norm("upsampling.%d" % (i + 1),
                   n.conv("upsampling.%d" % i, y, 4 * width))
        y = n.prelu("upsampling.%d" % (i + 3), shuffle(y, 2), 1)
    y = np.tanh(n.conv("conv3.0", y, 3, 9))
    return y * IMAGENET[1] + IMAGENET[0]


def instance_norm(x, eps=1e-5):
    m = x.mean((1, 2), keepdims=True)
    v = x.var((1, 2), keepdims=True)
    return (x - m) / np.sqrt(v + eps)


def fast_srgan(n, x, width=8, blocks=2):
    first = y = n.prelu("neck.1", n.conv("neck.0", x * 2 - 1, width), 1)
    for i in range(blocks):
        p = "stem.%d." % i
        r = instance_norm(n.conv(p + "conv1", y, width, bias=False))
        r = n.conv(p + "conv2", n.prelu(p + "relu1", r, 1), width, bias=False)
        y = y + instance_norm(r)
    y = instance_norm(n.conv("bottleneck.0", y, width, bias=False)) + first
    for i in range(2):
        p = "upsampling.%d." % i
        y = n.prelu(p + "relu", shuffle(n.conv(p + "conv", y, 4 * width), 2),
                    1)
    return (np.tanh(n.conv("head.0", y, 3)) + 1) / 2


def esa(n, p, x, f, rfdn=False):
    c1 = n.conv(p + "conv1", x, f, 1)
    v = max_pool(n.conv(p + "conv2", c1, f, 3, 2, 0), 7, 3)
    if rfdn:
        v = relu(n.conv(p + "conv_max", v, f))
        v = n.conv(p + "conv3_", relu(n.conv(p + "conv3", v, f)), f)
    else:
        v = n.conv(p + "conv3", v, f)
    v = bilinear(v, x.shape[1], x.shape[2])
    v = v + n.conv(p + "conv_f", c1, f, 1)
    return x * sigmoid(n.conv(p + "conv4", v, x.shape[0], 1))


def rlfn(n, x, width=10, middle=12, blocks=2, scale=2):
    n.gain = .6  # its gates magnify rounding
    first = y = n.conv("conv_1", x * 255, width)
    for i in range(1, blocks + 1):
        p = "block_%d." % i
        r = leaky(n.conv(p + "c1_r", y, middle), .05)
        r = leaky(n.conv(p + "c2_r", r, middle), .05)
        r = leaky(n.conv(p + "c3_r", r, width), .05) + y
        y = esa(n, p + "esa.", n.conv(p + "c5", r, width, 1), 4)
    y = n.conv("conv_2", y, width) + first
    return shuffle(n.conv("upsampler.0", y, 3 * scale * scale), scale) / 255


def rfdn(n, x, width=12, blocks=2, scale=3):
    first = y = n.conv("fea_conv", x, width)
    outs = []
    for i in range(1, blocks + 1):
        p = "B%d." % i
        parts = []
        for j in (1, 2, 3):
            parts.append(leaky(n.conv(p + "c%d_d" % j, y, width // 2, 1), .05))
            y = leaky(n.conv(p + "c%d_r" % j, y, width) + y, .05)
        parts.append(leaky(n.conv(p + "c4", y, width // 2), .05))
        y = n.conv(p + "c5", np.concatenate(parts), width, 1)
        y = esa(n, p + "esa.", y, width // 4, True)
        outs.append(y)
    y = leaky(n.conv("c.0", np.concatenate(outs), width, 1), .05)
    y = n.conv("LR_conv", y, width) + first
    return shuffle(n.conv("upsampler.0", y, 3 * scale * scale), scale)


def imd_block(n, p, x, width, attended):
    part = width // 4
    parts, y = [], x
    for i in (1, 2, 3):
        y = leaky(n.conv(p + "c%d" % i, y, width), .05)
        parts.append(y[:part])
        y = y[part:]
    parts.append(n.conv(p + "c4", y, part))
    y = np.concatenate(parts)
    if attended:
        y = attention(n, y, p + "cca.conv_du.0", p + "cca.conv_du.2", width, 2,
                      y.std((1, 2)) + means(y))
    return n.conv(p + "c5", y, width, 1) + x


def imdn(n, x, width=16, blocks=2, scale=2):
    first = y = n.conv("fea_conv", x, width)
    outs = []
    for i in range(1, blocks + 1):
        y = imd_block(n, "IMDB%d." % i, y, width, True)
        outs.append(y)
    y = leaky(n.conv("c.0", np.concatenate(outs), width, 1), .05)
    y = n.conv("LR_conv", y, width) + first
    return shuffle(n.conv("upsampler.0", y, 3 * scale * scale), scale)


def imdn_rtc(n, x, width=12, blocks=2, scale=2):
    first = y = n.conv("model.0", x, width)
    for i in range(blocks):
        y = imd_block(n, "model.1.sub.%d." % i, y, width, False)
    y = n.conv("model.1.sub.%d" % blocks, y, width, 1) + first
    return shuffle(n.conv("model.2", y, 3 * scale * scale), scale)


def span_conv(n, p, x, out, gain=2):
    """As trained: the border is padded before, so that the parts can be folded."""
    i = x.shape[0]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    y = n.conv(p + ".conv.0", padded, i * gain, 1)
    y = n.conv(p + ".conv.1", y, out * gain, 3, pad=0)
    y = n.conv(p + ".conv.2", y, out, 1)
    return y + n.conv(p + ".sk", x, out, 1)


def span(trained, width=12, blocks=6, scale=2):
    def forward(n, x):
        n.gain = .5  # it multiplies maps by each other

        def conv(p, x, out):
            if trained:
                return span_conv(n, p, x, out)
            return n.conv(p + ".eval_conv", x, out)

        first = y = conv("conv_1", (x - MEAN) * 255, width)
        for i in range(1, blocks + 1):
            p = "block_%d." % i
            late = silu(conv(p + "c1_r", y, width))
            r = silu(conv(p + "c2_r", late, width))
            r = conv(p + "c3_r", r, width)
            y = (r + y) * (sigmoid(r) - .5)
            if i == 1:
                early = y
        y = np.concatenate([first, conv("conv_2", y, width), early, late])
        y = n.conv("conv_cat", y, width, 1)
        return shuffle(n.conv("upsampler.0", y, 3 * scale * scale), scale)
    return forward


def ecbsr(n, x, width=8, blocks=2, scale=3):
    y = x
    for i in range(blocks + 1):
        y = n.prelu("backbone.%d.1" % i, n.conv("backbone.%d.0" % i, y, width),
                    width)
    y = n.conv("backbone.%d.0" % (blocks + 1), y, x.shape[0] * scale * scale)
    return shuffle(y + x.repeat(scale * scale, 0), scale)


MASKS = {
    "sbx": [[1, 0, -1], [2, 0, -2], [1, 0, -1]],
    "sby": [[1, 2, 1], [0, 0, 0], [-1, -2, -1]],
    "lpl": [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
}


def ecb(n, p, x, out):
    """As trained: after each 1x1 the border is padded with its bias."""
    def one(name, middle):
        k0 = n.normal(name + ".k0", (middle, x.shape[0], 1, 1),
                      1 / np.sqrt(x.shape[0]))
        b0 = n.normal(name + ".b0", (middle,), .1)
        y = conv2d(x, k0, b0)
        y = np.pad(y, ((0, 0), (1, 1), (1, 1)))
        for edge in (np.s_[:, 0], np.s_[:, -1], np.s_[:, :, 0],
                     np.s_[:, :, -1]):
            y[edge] = b0.reshape(-1, 1)
        return y

    y = n.conv(p + "conv3x3", x, out)
    b = one(p + "conv1x1_3x3", 2 * out)
    y = y + conv2d(b, n.normal(p + "conv1x1_3x3.k1", (out, 2 * out, 3, 3), .1),
                   n.normal(p + "conv1x1_3x3.b1", (out,), .1))
    for kind, mask in MASKS.items():
        q = p + "conv1x1_" + kind
        b = one(q, out)
        s = n.normal(q + ".scale", (out, 1, 1, 1), .2)
        m = n.tensor(q + ".mask", lambda mask=mask: np.broadcast_to(
            np.array(mask, np.float32), (out, 1, 3, 3)))
        bias = n.normal(q + ".bias", (out,), .1)
        y = y + conv2d(b, s * m, bias, groups=out)
    return y


def ecbsr_trained(n, x, width=6, blocks=1, scale=2):
    y = x
    for i in range(blocks + 1):
        y = n.prelu("backbone.%d.act" % i, ecb(n, "backbone.%d." % i, y, width),
                    width)
    y = ecb(n, "backbone.%d." % (blocks + 1), y, x.shape[0] * scale * scale)
    return shuffle(y + x.repeat(scale * scale, 0), scale)


def ecbsr_et(n, x, width=8, scale=3):
    y = x
    for i in range(3):
        y = n.prelu("backbone.%d.1" % i, n.conv("backbone.%d.0" % i, y, width),
                    width)
    y = relu(n.conv("backbone.3.0", y, 3 * scale * scale + 1))
    y = relu(n.conv("backbone.4.0", y, 3 * scale * scale + 1, 1))
    return shuffle(y[:-1], scale)


def abpn(n, x, width=10, blocks=2, scale=2):
    y = relu(n.conv("backbone.0", x, width))
    for i in range(blocks):
        y = relu(n.conv("backbone.%d.0" % (i + 2), y, width))
    out = 3 * scale * scale
    y = relu(n.conv("backbone.%d" % (blocks + 2), y, out))
    y = n.conv("backbone.%d" % (blocks + 4), y, out)
    return shuffle(y + x.repeat(scale * scale, 0), scale)


def etds(n, x, width=9, blocks=2, scale=3):
    y = relu(n.conv("conv_first", x, width))
    for i in range(blocks):
        y = relu(n.conv("backbone_convs.%d" % i, y, width))
    y = relu(n.conv("conv_last", y, 3 * scale * scale + 1))
    y = relu(n.conv("conv_clip", y, 3 * scale * scale + 1, 1))
    return shuffle(y[:-1], scale)


def etds_trained(n, x, width=7, residual=3, blocks=2, scale=2):
    y = relu(n.conv("conv_first", x, width))
    r = relu(n.conv("conv_residual_first", x, residual))
    for i in range(blocks):
        y, r = (relu(n.conv("backbone_convs.%d" % i, y, width) +
                     n.conv("add_residual_convs.%d" % i, r, width)),
                relu(n.conv("residual_convs.%d" % i, r, residual)))
    out = 3 * scale * scale
    return shuffle(n.conv("conv_last", y, out) +
                   n.conv("conv_residual_last", r, out), scale)


def espcn(n, x, width=10, scale=4):
    y = np.tanh(n.conv("conv1", x, width, 5))
    y = np.tanh(n.conv("conv2", y, width // 2))
    return sigmoid(shuffle(n.conv("conv3", y, x.shape[0] * scale * scale),
                           scale))


def espcn_relu(n, x, width=10, scale=3):
    y = relu(n.conv("conv1", x, width, 5))
    y = relu(n.conv("conv2", y, width))
    y = relu(n.conv("conv3", y, width // 2))
    return shuffle(n.conv("conv4", y, x.shape[0] * scale * scale), scale)


def espcn_parts(n, x, width=10, scale=2):
    y = np.tanh(n.conv("first_part.0", x, width, 5))
    y = np.tanh(n.conv("first_part.2", y, width // 2))
    return shuffle(n.conv("last_part.0", y, x.shape[0] * scale * scale), scale)


def fsrcnn(scale, d=12, s=5, m=2):
    def forward(n, x):
        y = n.prelu("first_part.1", n.conv("first_part.0", x, d, 5), d)
        y = n.prelu("mid_part.1", n.conv("mid_part.0", y, s, 1), s)
        for i in range(m):
            y = n.prelu("mid_part.%d" % (2 * i + 3),
                        n.conv("mid_part.%d" % (2 * i + 2), y, s), s)
        y = n.prelu("mid_part.%d" % (2 * m + 3),
                    n.conv("mid_part.%d" % (2 * m + 2), y, d, 1), d)
        return n.deconv("last_part", y, x.shape[0], 9, scale, 4, scale - 1)
    return forward


def fsrcnn_lornatang(n, x, d=8, s=4, m=2, scale=2):
    y = n.prelu("feature_extraction.1", n.conv("feature_extraction.0", x, d,
                                               5), 1)
    y = n.prelu("shrink.1", n.conv("shrink.0", y, s, 1), 1)
    for i in range(m):
        y = n.conv("map.%d" % (2 * i), y, s)
        y = n.prelu("map.%d" % (2 * i + 1), y, 1)
    y = n.prelu("expand.1", n.conv("expand.0", y, d, 1), 1)
    return n.deconv("deconv", y, x.shape[0], 9, scale, 4, scale - 1)


def srcnn(n, x):
    y = relu(n.conv("conv1", x, 10, 9))
    y = relu(n.conv("conv2", y, 6, 5))
    return n.conv("conv3", y, x.shape[0], 5)


def vdsr(n, x, width=8, depth=4):
    y = relu(n.conv("input", x, width, bias=False))
    for i in range(depth):
        y = relu(n.conv("residual_layer.%d.conv" % i, y, width, bias=False))
    return n.conv("output", y, x.shape[0], bias=False) + x


def dncnn(n, x, width=8, depth=7):
    y = relu(n.conv("dncnn.0", x, width, bias=False))
    at = 2
    for _ in range(depth - 2):
        y = relu(n.norm("dncnn.%d" % (at + 1),
                        n.conv("dncnn.%d" % at, y, width, bias=False)))
        at += 3
    return x - n.conv("dncnn.%d" % at, y, x.shape[0], bias=False)


def dncnn_kair(n, x, width=8, depth=6):
    y = x
    for i in range(depth - 1):
        y = relu(n.conv("model.%d" % (2 * i), y, width))
    return x - n.conv("model.%d" % (2 * depth - 2), y, x.shape[0])


def vgg7(n, x, widths=(4, 4, 6, 6, 8, 8)):
    y = x
    for i, w in enumerate(widths):
        y = leaky(n.conv("net.%d" % (2 * i), y, w, pad=0), .1)
    return n.conv("net.12", y, x.shape[0], pad=0)


def upconv7(n, x, widths=(4, 4, 6, 6, 8, 8)):
    y = x
    for i, w in enumerate(widths):
        y = leaky(n.conv("net.%d" % (2 * i), y, w, pad=0), .1)
    return n.deconv("net.12", y, x.shape[0], 4, 2, 3)


# name, network, channels, scale, how it is written, options
MODELS = [
    ("srvggnet_x3", srvggnet, 3, 3, "safetensors", {}),
    ("srvggnet_y_x3", srvggnet, 1, 3, "pth", {}),
    ("srvggnet_x2_half", lambda n, x: srvggnet(n, x, 8, 2, 2), 3, 2,
     "pth_half", {}),
    ("rrdb_new_x4", rrdb_new(1), 3, 4, "pth", {}),
    ("rrdb_new_x2", rrdb_new(2), 3, 2, "safetensors", {}),
    ("rrdb_new_x1", rrdb_new(4), 3, 1, "safetensors", {}),
    ("rrdb_old_x4", rrdb_old(2), 3, 4, "legacy", {}),
    ("rrdb_old_x2_plus", rrdb_old(1, plus=True), 3, 2, "pth", {}),
    ("rrdb_trunk_x2", rrdb_trunk, 3, 2, "safetensors", {}),
    ("edsr_x4", edsr, 3, 4, "pth", {}),
    ("edsr_x3", lambda n, x: edsr(n, x, 6, 1, 3), 3, 3, "safetensors", {}),
    ("edsr_basicsr_x3", edsr_basicsr, 3, 3, "safetensors", {}),
    ("rcan_x2", rcan, 3, 2, "pth", {}),
    ("msrresnet_x4", msrresnet, 3, 4, "safetensors", {}),
    ("msrresnet_x3", lambda n, x: msrresnet(n, x, 6, 1, 3), 3, 3, "pth", {}),
    ("srresnet_leftthomas_x2", srresnet_leftthomas, 3, 2, "legacy", {}),
    ("srresnet_sgrvinod_x4", srresnet_sgrvinod, 3, 4, "pth", {}),
    ("srresnet_lornatang_x2", srresnet_lornatang, 3, 2, "safetensors", {}),
    ("srresnet_pytorch_gan_x4", srresnet_gan, 3, 4, "pth", {}),
    ("fast_srgan_x4", fast_srgan, 3, 4, "safetensors", {}),
    ("rlfn_x2", rlfn, 3, 2, "safetensors", {}),
    ("rfdn_x3", rfdn, 3, 3, "pth", {}),
    ("imdn_x2", imdn, 3, 2, "safetensors", {}),
    ("imdn_rtc_x2", imdn_rtc, 3, 2, "pth", {}),
    ("span_x2", span(False), 3, 2, "safetensors", {}),
    ("span_trained_x3", span(True, 6, 4, 3), 3, 3, "pth", {}),
    ("ecbsr_x3", ecbsr, 3, 3, "pth", {}),
    ("ecbsr_y_x2", lambda n, x: ecbsr(n, x, 6, 1, 2), 1, 2, "safetensors", {}),
    ("ecbsr_trained_x2", ecbsr_trained, 3, 2, "safetensors", {}),
    ("ecbsr_et_x3", ecbsr_et, 3, 3, "safetensors", {}),
    ("abpn_x2", abpn, 3, 2, "safetensors", {}),
    ("etds_x3", etds, 3, 3, "pth", {}),
    ("etds_trained_x2", etds_trained, 3, 2, "safetensors", {}),
    ("espcn_x4", espcn, 3, 4, "safetensors", {}),
    ("espcn_relu_y_x3", espcn_relu, 1, 3, "pth", {}),
    ("espcn_parts_y_x2", espcn_parts, 1, 2, "safetensors", {}),
    ("fsrcnn_x2", fsrcnn(2), 1, 2, "safetensors", {}),
    ("fsrcnn_x3", fsrcnn(3), 3, 3, "pth", {}),
    ("fsrcnn_any", fsrcnn(4), 1, 4, "safetensors", {"scale": 4}),
    ("fsrcnn_lornatang_x2", fsrcnn_lornatang, 1, 2, "safetensors", {}),
    ("srcnn", srcnn, 1, 1, "safetensors", {}),
    ("vdsr", vdsr, 1, 1, "pth", {}),
    ("dncnn", dncnn, 1, 1, "safetensors", {}),
    ("dncnn_kair", dncnn_kair, 3, 1, "pth", {}),
    ("waifu2x_vgg7", vgg7, 3, 1, "safetensors", {}),
    ("waifu2x_upconv7", upconv7, 3, 2, "safetensors", {}),
    ("bgr_srvggnet_x2", lambda n, x: srvggnet(n, x[::-1], 6, 1, 2)[::-1], 3, 2,
     "safetensors", {"colour": "bgr"}),
    ("codes_srvggnet_x2", lambda n, x: srvggnet(n, x * 255, 6, 1, 2) / 255, 3,
     2, "safetensors", {"range": "0-255"}),
]

# --- Files ----------------------------------------------------------------------


def write_safetensors(path, state):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    # as the safetensors library does: sorted, not in the network's order
    for name in sorted(state):
        a = np.asarray(state[name])
        kind = {"float32": "F32", "float16": "F16", "int64": "I64"}[str(a.dtype)]
        b = a.tobytes()
        header[name] = {"dtype": kind, "shape": list(a.shape),
                        "data_offsets": [len(data), len(data) + len(b)]}
        data += b
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def fake_torch():
    """Modules with the names that a pickle of PyTorch's refers to."""
    torch = types.ModuleType("torch")
    utils = types.ModuleType("torch._utils")
    for kind in ("Float", "Half", "Long"):
        storage = type(kind + "Storage", (), {"__module__": "torch"})
        setattr(torch, kind + "Storage", storage)

    def rebuild(*arguments):
        return arguments
    rebuild.__module__ = "torch._utils"
    rebuild.__name__ = rebuild.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = rebuild
    sys.modules["torch"] = torch
    sys.modules["torch._utils"] = utils
    return torch, rebuild


TORCH, REBUILD = fake_torch()


class Storage:
    def __init__(self, key, array):
        self.key, self.array = key, array


class Tensor:
    def __init__(self, storage, shape):
        self.storage, self.shape = storage, shape

    def __reduce__(self):
        strides, n = [], 1
        for d in reversed(self.shape):
            strides.insert(0, n)
            n *= d
        return REBUILD, (self.storage, 0, tuple(self.shape), tuple(strides),
                         False, OrderedDict())


class Pickler(pickle.Pickler):
    legacy = False

    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        kind = {"float32": "Float", "float16": "Half",
                "int64": "Long"}[str(value.array.dtype)]
        identity = ("storage", getattr(TORCH, kind + "Storage"), value.key,
                    "cpu", value.array.size)
        return identity + (None,) if self.legacy else identity


def to_pickle(state, legacy):
    storages, out = [], OrderedDict()
    for name, value in state.items():
        a = np.ascontiguousarray(value)
        storages.append(Storage(str(len(storages)), a))
        out[name] = Tensor(storages[-1], np.shape(value))
    f = io.BytesIO()
    pickler = Pickler(f, 2)
    pickler.legacy = legacy
    pickler.dump(out if legacy else {"params_ema": out, "epoch": 3})
    return f.getvalue(), storages


def write_pth(path, state):
    data, storages = to_pickle(state, False)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as z:
        z.writestr("archive/data.pkl", data)
        z.writestr("archive/byteorder", "little")
        for s in storages:
            z.writestr("archive/data/" + s.key, s.array.tobytes())
        z.writestr("archive/version", "3\n")


def write_legacy(path, state):
    data, storages = to_pickle(state, True)
    with open(path, "wb") as f:
        pickle.dump(0x1950a86a20f9469cfc6c, f, 2)
        pickle.dump(1001, f, 2)
        pickle.dump({"protocol_version": 1001, "little_endian": True,
                     "type_sizes": {"short": 2, "int": 4, "long": 4}}, f, 2)
        f.write(data)
        pickle.dump(sorted(s.key for s in storages), f, 2)
        for s in sorted(storages, key=lambda s: s.key):
            f.write(struct.pack("<Q", s.array.size) + s.array.tobytes())


def write_model(path, state, how):
    if how == "pth_half":
        state = OrderedDict((k, v.astype(np.float16) if
                             v.dtype == np.float32 else v)
                            for k, v in state.items())
    {"safetensors": write_safetensors, "pth": write_pth, "pth_half": write_pth,
     "legacy": write_legacy}[how](path, state)


def main():
    folder = sys.argv[1]
    entries = []
    for seed, (name, forward, channels, scale, how, options) in enumerate(
            MODELS):
        home = os.path.join(folder, name)
        os.makedirs(home, exist_ok=True)
        net = Net(seed + 1)
        x = np.random.default_rng(99).uniform(
            0, 1, (channels, 36, 44)).astype(np.float32)
        expected = forward(net, x.astype(np.float64))
        if how == "pth_half":
            for k, v in net.state.items():
                net.state[k] = v.astype(np.float16).astype(np.float32)
            expected = forward(net, x.astype(np.float64))
        ending = "safetensors" if how == "safetensors" else "pth"
        model = name + "/" + name + "." + ending
        write_model(os.path.join(folder, model), net.state, how)
        np.save(os.path.join(home, "input.npy"), x)
        np.save(os.path.join(home, "expected.npy"),
                expected.astype(np.float32))
        # rounding grows with what passes through
        entries.append({
            "id": name, "format": how, "model": [model], "scale": scale,
            "input": None, "input_tensor": name + "/input.npy",
            "expected": name + "/expected.npy",
            "expected_shape": list(expected.shape), "layout": "CHW",
            "input_range": "[0,1]", "output_range": "[0,1]",
            "tolerance": 2e-5 * max(1., float(np.abs(expected).max())),
            "options": options,
        })
    entries += onnx_files.make_all(folder, conv2d)
    entries += tensorflow_files.make_all(folder, conv2d)
    entries += keras_models.make(folder)
    with open(os.path.join(folder, "LIST.json"), "w") as f:
        json.dump({"version": 1, "entries": entries}, f, indent=1)


if __name__ == "__main__":
    main()
