"""One made-up network in ONNX, spelled as each operator set from 7 to 23 wants
it: what was an attribute once is an input later. For make-models.py.

SPDX-License-Identifier: MIT
"""
import os
import struct

import numpy as np

from tensorflow_files import field, varint

OPSETS = (7, 9, 10, 11, 12, 13, 14, 16, 17, 18, 19, 20, 21, 22, 23)


def tensor(name, a):
    a = np.asarray(a)
    kind = {"float32": 1, "int64": 7}[str(a.dtype)]
    return b"".join(field(1, int(d)) for d in a.shape) + field(2, kind) + \
        field(8, name) + field(9, a.tobytes())


def attribute(name, value):
    out = field(1, name)
    if isinstance(value, float):
        return out + varint(2 << 3 | 5) + struct.pack("<f", value) + \
            field(20, 1)
    if isinstance(value, int):
        return out + field(3, value) + field(20, 2)
    if isinstance(value, str):
        return out + field(4, value) + field(20, 3)
    if isinstance(value[0], float):
        return out + b"".join(varint(7 << 3 | 5) + struct.pack("<f", v)
                              for v in value) + field(20, 6)
    return out + b"".join(field(8, v) for v in value) + field(20, 7)


class Graph:
    """Nodes one after the other; each gives the name of what it makes."""

    def __init__(self, opset):
        self.opset = opset
        self.nodes = b""
        self.weights = b""
        self.n = 0

    def new_name(self):
        self.n += 1
        return "v%d" % self.n

    def constant(self, value, kind=np.float32):
        name = self.new_name()
        self.weights += field(5, tensor(name, np.asarray(value, kind)))
        return name

    def node(self, op, *inputs, n_outputs=1, **attributes):
        names = [self.new_name() for _ in range(n_outputs)]
        self.nodes += field(
            1, b"".join(field(1, i) for i in inputs) +
            b"".join(field(2, o) for o in names) + field(4, op) +
            b"".join(field(5, attribute(k, v)) for k, v in attributes.items()))
        return names[0] if n_outputs == 1 else names

    def late(self, since, op, *inputs, n_outputs=1, **lists):
        """Lists of integers: attributes before opset @since, inputs after."""
        plain = {k: v for k, v in lists.items() if not isinstance(v, list)}
        given = {k: v for k, v in lists.items() if isinstance(v, list)}
        if self.opset < since:
            return self.node(op, *inputs, n_outputs=n_outputs, **plain,
                             **given)
        return self.node(op, *inputs,
                         *(self.constant(v, np.int64)
                           for v in given.values()),
                         n_outputs=n_outputs, **plain)

    def conv(self, x, w, b, **attributes):
        return self.node("Conv", x, self.constant(w), self.constant(b),
                         kernel_shape=list(w.shape[2:]), **attributes)

    def clip(self, x, low, high):
        if self.opset < 11:
            return self.node("Clip", x, min=low, max=high)
        return self.node("Clip", x, self.constant(low), self.constant(high))

    def enlarge(self, x, factor):
        scales = [1., 1., float(factor), float(factor)]
        if self.opset < 9:
            return self.node("Upsample", x, mode="nearest", scales=scales)
        if self.opset < 10:
            return self.node("Upsample", x, self.constant(scales),
                             mode="nearest")
        if self.opset < 11:
            return self.node("Resize", x, self.constant(scales),
                             mode="nearest")
        return self.node("Resize", x, "", self.constant(scales),
                         mode="nearest", nearest_mode="floor",
                         coordinate_transformation_mode="asymmetric")

    def pad(self, x, sides):
        """Edges repeated: top, left, bottom, right."""
        top, left, bottom, right = sides
        full = [0, 0, top, left, 0, 0, bottom, right]
        if self.opset < 11:
            return self.node("Pad", x, mode="edge", pads=full)
        if self.opset < 18:
            return self.node("Pad", x, self.constant(full, np.int64),
                             mode="edge")
        return self.node("Pad", x, self.constant(sides, np.int64), "",
                         self.constant([2, 3], np.int64), mode="edge")

    def write(self, path, output):
        def value(number, name):
            # of one size, as its reshapes and its count of pixels are
            sides = field(1, field(2, "n")) + field(1, field(1, 3)) + \
                field(1, field(1, 24 if name == "x" else 48)) + \
                field(1, field(1, 32 if name == "x" else 64))
            return field(number, field(1, name) + field(
                2, field(1, field(1, 1) + field(2, sides))))

        graph = self.nodes + field(2, "made") + self.weights + \
            value(11, "x") + value(12, output)
        with open(path, "wb") as file:
            file.write(field(1, 4 if self.opset < 10 else 8) +
                       field(7, graph) +
                       field(8, field(1, "") + field(2, self.opset)))


def make_one(path, opset, weights):
    g = Graph(opset)
    w = weights
    same = {"pads": [1, 1, 1, 1]}
    y = g.conv(g.pad("x", [1, 1, 1, 1]), w["first"], w["first_bias"])
    y = g.node("BatchNormalization", y,
               *(g.constant(part) for part in w["norm"]), epsilon=1e-5)
    y = f = g.node("PRelu", y, g.constant(w["slope"]))
    if opset >= 18:
        a, b = g.node("Split", y, n_outputs=2, axis=1, num_outputs=2)
    else:
        a, b = g.late(13, "Split", y, n_outputs=2, axis=1, split=[4, 4])
    a = g.node("Mul", a, g.node("Sigmoid", b))
    if opset < 10:
        b = g.node("Slice", b, axes=[1], starts=[1], ends=[4])
    else:
        b = g.node("Slice", b, *(g.constant(v, np.int64)
                                 for v in ([1], [4], [1])))
    y = g.node("Concat", a, b, axis=1)
    y = g.node("LeakyRelu", g.conv(y, w["second"], w["second_bias"], **same),
               alpha=.1)
    # IMDN's contrast: deviation and mean, as its authors' code is traced
    pixels = g.constant(24. * 32.)

    def mean(z):
        z = g.late(13, "ReduceSum", z, axes=[3], keepdims=1)
        z = g.late(13, "ReduceSum", z, axes=[2], keepdims=1)
        return g.node("Div", z, pixels)

    middle = mean(y)
    square = g.node("Pow", g.node("Sub", y, middle), g.constant(2.))
    contrast = g.node("Add", g.node("Pow", mean(square), g.constant(.5)),
                      middle)
    y = g.node("Mul", y, g.node("Sigmoid", contrast))
    squeezed = g.late(18, "ReduceMean", y, axes=[2, 3], keepdims=0)
    squeezed = g.node("Gemm", squeezed, g.constant(w["matrix"]),
                      g.constant(w["matrix_bias"]), transB=1)
    squeezed = g.late(13, "Unsqueeze", squeezed, axes=[2, 3])
    y = g.node("Add", g.node("Mul", y, squeezed), f)
    y = g.node("Add", y, g.node("GlobalAveragePool", y))
    y = g.conv(y, w["last"], w["last_bias"], **same)
    if opset < 11 or opset % 2 == 0:
        y = g.node("Reshape", y, g.constant([0, 3, 2, 2, 24, 32], np.int64))
        y = g.node("Transpose", y, perm=[0, 1, 4, 2, 5, 3])
        y = g.node("Reshape", y, g.constant([0, 3, 48, 64], np.int64))
    else:
        y = g.node("DepthToSpace", y, blocksize=2, mode="CRD")
    y = g.node("Add", y, g.enlarge("x", 2))
    g.write(path, g.node("Identity", g.clip(y, 0., 1.)))


def compute(conv2d, w, x):
    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    y = conv2d(np.pad(x, ((0, 0), (1, 1), (1, 1)), mode="edge"), w["first"],
               w["first_bias"])
    gain, offset, middle, variance = (p.reshape(-1, 1, 1) for p in w["norm"])
    y = (y - middle) / np.sqrt(variance + 1e-5) * gain + offset
    y = f = np.where(y > 0, y, y * w["slope"])
    a, b = y[:4], y[4:]
    y = np.concatenate((a * sigmoid(b), b[1:4]))
    y = conv2d(y, w["second"], w["second_bias"], pad=1)
    y = np.where(y > 0, y, .1 * y)
    middle = y.mean((1, 2), keepdims=True)
    deviation = np.sqrt(((y - middle) ** 2).mean((1, 2), keepdims=True))
    y = y * sigmoid(deviation + middle)
    squeezed = w["matrix"] @ y.mean((1, 2)) + w["matrix_bias"]
    y = y * squeezed.reshape(-1, 1, 1) + f
    y = y + y.mean((1, 2), keepdims=True)
    y = conv2d(y, w["last"], w["last_bias"], pad=1)
    y = y.reshape(3, 2, 2, 24, 32).transpose(0, 3, 1, 4, 2).reshape(3, 48, 64)
    return np.clip(y + x.repeat(2, 1).repeat(2, 2), 0, 1)


def make_all(folder, conv2d):
    """Writes the models; gives what LIST.json says of them."""
    random = np.random.default_rng(800)

    def some(*shape):
        n = np.prod(shape[1:]) if len(shape) > 1 else 30
        return (random.standard_normal(shape) / np.sqrt(n)).astype(np.float32)

    weights = {
        "first": some(8, 3, 3, 3), "first_bias": some(8),
        "norm": [1 + some(8), some(8), some(8),
                 random.uniform(.5, 1.5, 8).astype(np.float32)],
        "slope": random.uniform(0, .5, (8, 1, 1)).astype(np.float32),
        "second": some(8, 7, 3, 3), "second_bias": some(8),
        "matrix": some(8, 8), "matrix_bias": some(8),
        "last": some(12, 8, 3, 3), "last_bias": some(12),
    }
    x = random.uniform(0, 1, (3, 24, 32)).astype(np.float32)
    y = compute(conv2d, weights, x.astype(np.float64))
    home = os.path.join(folder, "onnx")
    os.makedirs(home, exist_ok=True)
    np.save(os.path.join(home, "input.npy"), x)
    np.save(os.path.join(home, "expected.npy"), y.astype(np.float32))
    entries = []
    for opset in OPSETS:
        name = "onnx_%u" % opset
        make_one(os.path.join(home, name + ".onnx"), opset, weights)
        entries.append({
            "id": name, "format": "onnx", "model": ["onnx/%s.onnx" % name],
            "scale": 2, "input": None, "input_tensor": "onnx/input.npy",
            "expected": "onnx/expected.npy", "expected_shape": list(y.shape),
            "layout": "CHW", "input_range": "[0,1]", "output_range": "[0,1]",
            "tolerance": 2e-5, "options": {},
        })
    return entries
