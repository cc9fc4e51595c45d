"""Small Keras and TensorFlow.js models for make-models.py: topologies in the
spellings of Keras 1, 2 and 3, and what each makes of a picture, in numpy after
the layers' documentation. Without h5py only TensorFlow.js' are written.

SPDX-License-Identifier: MIT
"""
import base64
import io
import json
import os
import re
import zipfile
from collections import OrderedDict

import numpy as np

try:
    import h5py
except ImportError:
    h5py = None

# --- Layers on [y][x][c], in double precision ---------------------------------


def pads(n, k, s, d, padding):
    if padding == "valid":
        return 0, 0
    total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
    return total // 2, total - total // 2


def conv(x, w, b=None, s=1, d=1, padding="same", depthwise=False):
    kh, kw = w.shape[:2]
    x = np.pad(x, (pads(x.shape[0], kh, s, d, padding),
                   pads(x.shape[1], kw, s, d, padding), (0, 0)))
    h = (x.shape[0] - (kh - 1) * d - 1) // s + 1
    wd = (x.shape[1] - (kw - 1) * d - 1) // s + 1
    y = 0
    for i in range(kh):
        for j in range(kw):
            part = x[i * d:i * d + (h - 1) * s + 1:s,
                     j * d:j * d + (wd - 1) * s + 1:s]
            if depthwise:
                y = y + (part[..., None] * w[i, j]).reshape(h, wd, -1)
            else:
                y = y + part @ w[i, j]
    return y if b is None else y + b


def deconv(x, w, b, s, padding):
    kh, kw = w.shape[:2]
    h, wd = x.shape[:2]
    full = np.zeros(((h - 1) * s + kh, (wd - 1) * s + kw, w.shape[2]))
    for i in range(kh):
        for j in range(kw):
            full[i:i + (h - 1) * s + 1:s,
                 j:j + (wd - 1) * s + 1:s] += x @ w[i, j].T
    if padding == "same":
        t, l = max(kh - s, 0) // 2, max(kw - s, 0) // 2
        full = full[t:t + h * s, l:l + wd * s]
    return full + b


def to_space(x, r):
    h, w, c = x.shape
    return x.reshape(h, w, r, r, c // (r * r)).transpose(
        0, 2, 1, 3, 4).reshape(h * r, w * r, -1)


def bilinear(x, r, half):
    for axis in (0, 1):
        n = x.shape[axis]
        at = np.arange(n * r) / r
        if half:
            at = np.maximum((np.arange(n * r) + .5) / r - .5, 0)
        a = np.minimum(at.astype(int), n - 1)
        b = np.minimum(a + 1, n - 1)
        f = (at - a).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        x = np.take(x, a, axis) * (1 - f) + np.take(x, b, axis) * f
    return x


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def max_pool(x, k):
    h, w, c = x.shape
    return x[:h // k * k, :w // k * k].reshape(
        h // k, k, w // k, k, c).max((1, 3))


ACTIVATIONS = {"linear": lambda x: x, "relu": lambda x: np.maximum(x, 0),
               "tanh": np.tanh, "sigmoid": sigmoid,
               "swish": lambda x: x * sigmoid(x)}


class Value:
    def __init__(self, array, ref, shared=None):
        self.array, self.ref, self.shared = array, ref, shared


class Keras:
    """Writes down a functional model, version 2 or 3, while it computes it."""

    def __init__(self, seed, version=2, outer=None):
        self.random = outer.random if outer else np.random.default_rng(seed)
        self.version = version
        self.layers = []
        self.weights = OrderedDict()  # layer -> [(variable, array)]
        self.classes = {}  # layer -> class
        self.counts = {}
        self.name = "model"
        self.prefix = ""

    def input(self, array):
        name = "input_1"
        shape = [None, None, None, array.shape[2]]
        key = "batch_input_shape" if self.version == 2 else "batch_shape"
        self.add("InputLayer", name, {key: shape, "dtype": "float32"}, [])
        self.inputs = [[name, 0, 0]]
        return Value(array, [name, 0, 0])

    def get_name(self, stem):
        stem = self.prefix + stem
        n = self.counts[stem] = self.counts.get(stem, -1) + 1
        return stem if n == 0 else "%s_%d" % (stem, n)

    def node(self, refs, keywords=None):
        if self.version == 2:
            return [r + [keywords or {}] for r in refs]
        tensors = [{"class_name": "__keras_tensor__",
                    "config": {"shape": [None, None, None, 8],
                               "dtype": "float32", "keras_history": r}}
                   for r in refs]
        return {"args": [tensors if len(tensors) > 1 else tensors[0]],
                "kwargs": keywords or {}}

    def add(self, cls, name, config, inputs, node=None):
        config = dict({"name": name, "trainable": True}, **config)
        entry = {"class_name": cls, "config": config, "name": name,
                 "inbound_nodes": [] if cls == "InputLayer" else
                 [node or self.node([i.ref for i in inputs])]}
        if self.version == 3:
            entry = dict({"module": "keras.layers", "registered_name": None},
                         **entry)
        self.layers.append(entry)
        self.classes[name] = cls
        self.weights[name] = []

    def layer(self, cls, inputs, array, weights=(), node=None, name=None,
              **config):
        stem = name or re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(
            "(.)([A-Z][a-z]+)", r"\1_\2", cls)).lower()
        name = self.get_name(stem)
        if not isinstance(inputs, list):
            inputs = [inputs]
        self.add(cls, name, config, inputs, node)
        self.weights[name] = list(weights)
        return Value(array, [name, 0, 0])

    def normal(self, shape, scale):
        return self.random.normal(0, scale, shape).astype(np.float32)

    def activation(self, name):
        if self.version == 3 and name == "relu":
            return {"module": "builtins", "class_name": "function",
                    "config": "relu", "registered_name": "function"}
        return name

    def conv2d(self, x, filters, k=3, s=1, d=1, padding="same",
               activation="linear", bias=True, name=None):
        c = x.array.shape[2]
        w = self.normal((k, k, c, filters), 1.2 / np.sqrt(c * k * k))
        b = self.normal((filters,), .1) if bias else None
        y = ACTIVATIONS[activation](conv(x.array, w, b, s, d, padding))
        return self.layer(
            "Conv2D", x, y, [("kernel", w)] + [("bias", b)] * bias, name=name,
            filters=filters, kernel_size=[k, k], strides=[s, s],
            padding=padding, data_format="channels_last",
            dilation_rate=[d, d], groups=1, use_bias=bias,
            activation=self.activation(activation))

    def depthwise(self, x, k=3, multiplier=1):
        c = x.array.shape[2]
        w = self.normal((k, k, c, multiplier), 1.2 / k)
        b = self.normal((c * multiplier,), .1)
        return self.layer(
            "DepthwiseConv2D", x, conv(x.array, w, b, depthwise=True),
            [("depthwise_kernel" if self.version == 2 else "kernel", w),
             ("bias", b)], kernel_size=[k, k], strides=[1, 1], padding="same",
            depth_multiplier=multiplier, use_bias=True, activation="linear")

    def separable(self, x, filters, k=3):
        c = x.array.shape[2]
        w = self.normal((k, k, c, 1), 1.2 / k)
        p = self.normal((1, 1, c, filters), 1 / np.sqrt(c))
        b = self.normal((filters,), .1)
        y = conv(conv(x.array, w, depthwise=True), p, b)
        return self.layer(
            "SeparableConv2D", x, np.maximum(y, 0),
            [("depthwise_kernel", w), ("pointwise_kernel", p), ("bias", b)],
            filters=filters, kernel_size=[k, k], strides=[1, 1],
            padding="same", use_bias=True, activation="relu")

    def deconv2d(self, x, filters, k, s, padding="same"):
        c = x.array.shape[2]
        w = self.normal((k, k, filters, c), s / np.sqrt(c * k * k))
        b = self.normal((filters,), .1)
        return self.layer(
            "Conv2DTranspose", x, deconv(x.array, w, b, s, padding),
            [("kernel", w), ("bias", b)], filters=filters, kernel_size=[k, k],
            strides=[s, s], padding=padding, output_padding=None,
            use_bias=True, activation="linear")

    def norm(self, x, scale=True):
        c = x.array.shape[2]
        g = self.random.uniform(.5, 1.5, c).astype(
            np.float32) if scale else 1.
        b, m = self.normal((c,), .1), self.normal((c,), .1)
        v = self.random.uniform(.5, 1.5, c).astype(np.float32)
        gain = g / np.sqrt(v.astype(float) + 1e-3)
        return self.layer(
            "BatchNormalization", x, (x.array - m) * gain + b,
            [("gamma", g)] * scale + [("beta", b), ("moving_mean", m),
                                      ("moving_variance", v)],
            axis=[3] if self.version == 2 else -1, epsilon=1e-3, center=True,
            scale=scale)

    def prelu(self, x):
        c = x.array.shape[2]
        a = self.random.uniform(-.2, .4, (1, 1, c)).astype(np.float32)
        return self.layer("PReLU", x, np.where(x.array > 0, x.array,
                                               a * x.array),
                          [("alpha", a)], shared_axes=[1, 2])

    def plain(self, cls, x, compute, **config):
        inputs = x if isinstance(x, list) else [x]
        return self.layer(cls, inputs, compute(*[i.array for i in inputs]),
                          **config)

    def sum(self, *values):
        return self.plain("Add", list(values), lambda *a: sum(a))

    def function(self, function, x, array, **keywords):
        """TFOpLambda: one tensor, its keywords beside it"""
        return self.layer("TFOpLambda", x, array,
                          node=x.ref + [keywords], name="tf." + function,
                          function=function)

    def operation(self, op, x, array, attributes, constants):
        return self.layer(
            "TensorFlowOpLayer", x, array, name="tf_op_layer_" + op,
            node_def={"name": op, "op": op, "input": [], "attr": attributes},
            constants=constants)

    def finish(self, y):
        self.outputs = [y.ref]
        return y.array

    def config(self):
        return {"class_name": "Functional", "config": {
            "name": self.name, "layers": self.layers,
            "input_layers": self.inputs, "output_layers": self.outputs}}


# --- Models ------------------------------------------------------------------
# Each takes the Keras and the picture and gives what comes out.


def fsrcnn(k, x):
    y = k.prelu(k.conv2d(k.input(x), 10, 5))
    y = k.prelu(k.conv2d(y, 6, 1))
    for _ in range(2):
        y = k.conv2d(y, 6)
    y = k.prelu(y)
    y = k.prelu(k.conv2d(y, 10, 1))
    return k.finish(k.deconv2d(y, 3, 9, 3))


def inverted(k, x):
    """Fast-SRGAN's kind"""
    first = y = k.prelu(k.conv2d(k.input(x), 8, 9))
    for i in range(2):
        z = k.conv2d(y, 24, 1, bias=i == 0)
        z = k.plain("ReLU", k.norm(z), lambda a: np.clip(a, 0, 6),
                    max_value=6.0, negative_slope=0.0, threshold=0.0)
        z = k.plain("Activation", k.norm(k.depthwise(z), i == 0),
                    ACTIVATIONS["relu"], activation="relu")
        y = k.sum(y, k.norm(k.conv2d(z, 8, 1)))
    y = k.sum(first, k.norm(k.conv2d(y, 8)))
    y = k.conv2d(y, 32)
    y = k.operation("DepthToSpace", y, to_space(y.array, 2), {
        "block_size": {"i": "2"},
        "data_format": {"s": base64.b64encode(b"NHWC").decode()}}, {})
    y = k.operation("Mul", y, y.array * .75, {}, {"1": .75})
    return k.finish(k.conv2d(k.prelu(y), 3, 9))


def edsr(k, x):
    y = k.input(x)
    y = k.plain("Rescaling", y, lambda a: a * 2. - .25, scale=2., offset=-.25)
    first = y = k.conv2d(y, 12)
    for _ in range(2):
        z = k.conv2d(k.conv2d(y, 12, activation="relu"), 12)
        z = k.function("math.multiply", z, z.array * .1, y=.1)
        y = k.layer("TFOpLambda", y, y.array + z.array,
                    node=y.ref + [{"y": z.ref, "name": None}],
                    name="tf.__operators__.add", function="__operators__.add")
    y = k.sum(first, k.conv2d(y, 12))
    y = k.conv2d(y, 27)
    y = k.function("nn.depth_to_space", y, to_space(y.array, 3), block_size=3)
    return k.finish(k.function("clip_by_value", y, np.clip(y.array, 0, 1),
                               clip_value_min=0, clip_value_max=1))


def block(k, x):
    y = k.conv2d(k.input(x), 8, activation="swish")
    y = k.norm(y)
    return k.finish(k.conv2d(y, 8, d=2))


def nested(k, x):
    """One model within another, called twice"""
    y = k.conv2d(k.input(x), 8, activation="relu")
    inner = Keras(0, k.version, k)
    inner.name, inner.prefix = "block", "block_"
    first = block(inner, y.array)
    own = [(layer, w) for layer, w in inner.weights.items()]

    def run(array):
        other = Keras(0, k.version)
        other.random = Replay([a for _, w in own for _, a in w])
        return block(other, array)
    second = run(first)
    k.layers.append({
        "class_name": "Functional", "name": "block",
        "config": dict(inner.config()["config"]),
        "inbound_nodes": [k.node([y.ref]), k.node([["block", 1, 0]])]})
    if k.version == 3:
        k.layers[-1]["module"] = "keras.models"
    k.classes["block"] = "Functional"
    k.weights["block"] = []
    k.inner = {"block": inner}
    y = k.sum(y, Value(second, ["block", 2, 0]))
    y = k.plain("UpSampling2D", y, lambda a: a.repeat(2, 0).repeat(2, 1),
                size=[2, 2], interpolation="nearest")
    return k.finish(k.conv2d(y, 3))


class Replay:
    """Gives the same numbers once more, in the order in which they come."""

    def __init__(self, arrays):
        self.arrays = arrays

    def normal(self, mean, scale, shape):
        return self.arrays.pop(0)

    def uniform(self, low, high, shape):
        return self.arrays.pop(0)


def many(k, x):
    """A layer of nearly every kind"""
    y = k.input(x)
    y = k.plain("Rescaling", y, lambda a: a * np.array([2, 1.5, 1]) - .5,
                scale=[2.0, 1.5, 1.0], offset=-.5)
    y = k.plain("ZeroPadding2D", y, lambda a: np.pad(a, ((2, 0), (0, 2),
                                                         (0, 0))),
                padding=[[2, 0], [0, 2]])
    y = k.conv2d(y, 8, 3, padding="valid")
    slope = "negative_slope" if k.version == 3 else "alpha"
    y = k.plain("LeakyReLU", y, lambda a: np.where(a > 0, a, .1 * a),
                **{slope: .1})
    y = k.separable(y, 8)
    a = k.conv2d(y, 8, d=2)
    b = k.depthwise(y)
    y = k.plain("Average", [y, a, b], lambda *v: sum(v) / 3)
    y = k.plain("Subtract", [y, a], lambda p, q: p - q)
    y = k.plain("Maximum", [y, b], np.maximum)
    y = k.plain("Dropout", y, lambda v: v, rate=.5)
    y = k.plain("Concatenate", [y, a], lambda p, q: np.concatenate(
        (p, q), 2), axis=-1)
    y = k.conv2d(y, 8, 1)
    small = k.plain("MaxPooling2D", y, lambda v: max_pool(v, 2),
                    pool_size=[2, 2], strides=[2, 2], padding="valid")
    up = k.plain("UpSampling2D", k.conv2d(small, 8, activation="tanh"),
                 lambda v: bilinear(v, 2, True), size=[2, 2],
                 interpolation="bilinear")
    y = k.sum(y, up)
    m = y.array.mean((0, 1))
    gate = k.layer("GlobalAveragePooling2D", y, m, keepdims=False,
                   data_format="channels_last")
    for n, f in ((4, "relu"), (8, "sigmoid")):
        w, b = k.normal((m.size, n), .5), k.normal((n,), .1)
        m = ACTIVATIONS[f](m @ w + b)
        gate = k.layer("Dense", gate, m, [("kernel", w), ("bias", b)],
                       units=n, activation=f, use_bias=True)
    gate = k.layer("Reshape", gate, m.reshape(1, 1, 8),
                   target_shape=[1, 1, 8])
    y = k.plain("Multiply", [y, gate], lambda p, q: p * q)
    y = k.conv2d(y, 12)
    y = k.plain("PixelShuffle", y, lambda v: to_space(v, 2), upscale_factor=2)
    return k.finish(k.plain("Cropping2D", y, lambda v: v[2:-2, 2:-2],
                            cropping=[[2, 2], [2, 2]]))


def plain_espcn(k, x):
    y = k.conv2d(k.input(x), 8, 5, activation="tanh")
    y = k.conv2d(y, 6, activation="tanh")
    y = k.conv2d(y, 12)
    return k.finish(k.plain("Lambda", y, lambda a: to_space(a, 2),
                            function="depth_to_space",
                            function_type="function", arguments={}))


def lambdas(k, x):
    """Marshalled Python, of which only names and numbers are looked at"""
    double = compile("lambda x: x * 0.5", "m", "eval").co_consts[0]
    import marshal

    def code(f):
        return base64.b64encode(marshal.dumps(f)).decode()
    y = k.conv2d(k.input(x), 12)
    shuffle = compile("lambda x: tf.nn.depth_to_space(x, 2)", "m",
                      "eval").co_consts[0]
    y = k.plain("Lambda", y, lambda a: a * .5,
                function=[code(double), None, None], function_type="lambda")
    return k.finish(k.plain("Lambda", y, lambda a: to_space(a, 2),
                            function=[code(shuffle), None, None],
                            function_type="lambda"))


# Weights alone, as published ones are; the layers' names say the rest.


def srcnn_weights(k, x):
    y = k.conv2d(k.input(x), 8, 9, padding="valid", activation="relu")
    y = k.conv2d(y, 6, 5, padding="valid", activation="relu")
    return k.finish(k.conv2d(y, 3, 5, padding="valid"))


def espcn_weights(k, x):
    y = k.conv2d(k.input(x), 8, 5, activation="relu")
    for n in (8, 6):
        y = k.conv2d(y, n, activation="relu")
    return k.finish(k.plain("Lambda", k.conv2d(y, 27),
                            lambda a: to_space(a, 3)))


def edsr_weights(k, x):
    mean = np.array([.4488, .4371, .404])
    y = k.plain("Lambda", k.input(x), lambda a: (a - mean) * 2)
    first = y = k.conv2d(y, 8)
    for _ in range(2):
        y = k.sum(y, k.conv2d(k.conv2d(y, 8, activation="relu"), 8))
    y = k.sum(first, k.conv2d(y, 8))
    for i in (1, 2):
        y = k.conv2d(y, 32, name="conv2d_%d_scale_2" % i)
        y = k.plain("Lambda", y, lambda a: to_space(a, 2))
    return k.finish(k.plain("Lambda", k.conv2d(y, 3),
                            lambda a: a / 2 + mean))


def srresnet_weights(k, x):
    y = k.plain("Lambda", k.input(x), lambda a: a)
    first = y = k.prelu(k.conv2d(y, 8, 9))
    for _ in range(2):
        z = k.prelu(k.norm(k.conv2d(y, 8)))
        y = k.sum(y, k.norm(k.conv2d(z, 8)))
    y = k.sum(first, k.norm(k.conv2d(y, 8)))
    y = k.conv2d(y, 32)
    y = k.prelu(k.plain("Lambda", y, lambda a: to_space(a, 2)))
    y = k.conv2d(y, 3, 9, activation="tanh")
    return k.finish(k.plain("Lambda", y, lambda a: (a + 1) / 2))


# --- Files -------------------------------------------------------------------


def put_attribute(group, name, values):
    group.attrs[name] = [v.encode() for v in values]


def write_group(group, layer, weights, inner=None):
    g = group.create_group(layer)
    names = []
    if inner is not None:
        weights = [(l + "/" + v, a) for l, w in inner.weights.items()
                   for v, a in w]
    for variable, array in weights:
        name = (variable if inner is not None else
                layer + "/" + variable) + ":0"
        g.create_dataset(name, data=array)
        names.append(name)
    put_attribute(g, "weight_names", names)


def write_h5(path, k, topology=True):
    with h5py.File(path, "w") as f:
        f.attrs["keras_version"] = b"2.9.0"
        f.attrs["backend"] = b"tensorflow"
        group = f
        if topology:
            f.attrs["model_config"] = json.dumps(k.config()).encode()
            group = f.create_group("model_weights")
            f.create_group("optimizer_weights").create_dataset(
                "noise", data=np.zeros(3))
        put_attribute(group, "layer_names", list(k.weights))
        for layer, weights in k.weights.items():
            write_group(group, layer, weights,
                        getattr(k, "inner", {}).get(layer))


def old_layer(entry):
    """A layer as Keras 1 spelled it"""
    c = entry["config"]
    out = {"name": c["name"]}
    if entry["class_name"] == "Conv2D":
        out.update(nb_filter=c["filters"], nb_row=c["kernel_size"][0],
                   nb_col=c["kernel_size"][1], border_mode=c["padding"],
                   subsample=c["strides"], bias=c["use_bias"],
                   activation=c["activation"], dim_ordering="tf")
        return {"class_name": "Convolution2D", "config": out}
    out.update(c)
    return {"class_name": entry["class_name"], "config": out}


def write_old(path, k):
    with h5py.File(path, "w") as f:
        layers = [old_layer(e) for e in k.layers[1:]]
        layers[0]["config"]["batch_input_shape"] = [None, None, None, 3]
        f.attrs["model_config"] = json.dumps(
            {"class_name": "Sequential", "config": layers}).encode()
        f.attrs["keras_version"] = b"1.2.2"
        group = f.create_group("model_weights")
        put_attribute(group, "layer_names", list(k.weights)[1:])
        for layer, weights in list(k.weights.items())[1:]:
            g = group.create_group(layer)
            names = {"kernel": "_W:0", "bias": "_b:0"}
            for variable, array in weights:
                g.create_dataset(layer + names[variable], data=array,
                                 compression="gzip")
            put_attribute(g, "weight_names",
                          [layer + names[v] for v, _ in weights])


def write_classes(group, k):
    counts = {}
    layers = group.create_group("layers")
    for layer, weights in k.weights.items():
        stem = re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(
            "(.)([A-Z][a-z]+)", r"\1_\2", k.classes[layer])).lower()
        n = counts[stem] = counts.get(stem, -1) + 1
        g = layers.create_group(stem if n == 0 else "%s_%d" % (stem, n))
        v = g.create_group("vars")
        for i, (_, array) in enumerate(weights):
            v.create_dataset(str(i), data=array)
        inner = getattr(k, "inner", {}).get(layer)
        if inner is not None:
            write_classes(g, inner)


def write_keras(path, k):
    data = io.BytesIO()
    with h5py.File(data, "w") as f:
        write_classes(f, k)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as z:
        z.writestr("metadata.json", json.dumps({"keras_version": "3.3.3"}))
        z.writestr("config.json", json.dumps(
            dict({"module": "keras"}, **k.config())))
        z.writestr("model.weights.h5", data.getvalue())


def quantise(array, how):
    """Gives the bytes, the manifest's words and what the numbers then are"""
    if how == "float16":
        half = array.astype(np.float16)
        return half.tobytes(), {"dtype": "float16",
                                "original_dtype": "float32"}, half
    top = {"uint8": 255, "uint16": 65535}[how]
    low = float(array.min())
    scale = (float(array.max()) - low) / top or 1.
    codes = np.round((array.astype(float) - low) / scale).astype(how)
    return codes.tobytes(), {"dtype": how, "scale": scale, "min": low}, \
        codes * scale + low


def write_shards(folder, named, how):
    """named: [(name, array)]; in two shards, cut wherever that is"""
    data, manifest = b"", []
    for name, array in named:
        entry = {"name": name, "shape": list(array.shape),
                 "dtype": "int32" if array.dtype == np.int32 else "float32"}
        part = array.tobytes()
        if how != "float32" and array.dtype != np.int32:
            part, entry["quantization"], _ = quantise(array, how)
        data += part
        manifest.append(entry)
    middle = len(data) // 2 + 1
    paths = ["group1-shard%dof2.bin" % i for i in (1, 2)]
    for path, part in zip(paths, (data[:middle], data[middle:])):
        with open(os.path.join(folder, path), "wb") as f:
            f.write(part)
    return [{"paths": paths, "weights": manifest}]


def write_layers_js(path, k, how):
    named = [(layer + "/" + v, a)
             for part in [k] + list(getattr(k, "inner", {}).values())
             for layer, w in part.weights.items() for v, a in w]
    with open(path, "w") as f:
        json.dump({"format": "layers-model", "modelTopology": {
            "keras_version": "2.9.0", "backend": "tensorflow",
            "model_config": k.config()},
            "weightsManifest": write_shards(os.path.dirname(path), named,
                                            how)}, f)


def b64(text):
    return {"s": base64.b64encode(text.encode()).decode()}


def write_graph_js(path, x, seed):
    """A frozen graph as TensorFlow.js' converter leaves it: fused"""
    r = np.random.default_rng(seed)
    nodes, named = [], []

    def const(name, array):
        array = np.asarray(array, np.int32 if np.asarray(array).dtype.kind ==
                           "i" else np.float32)
        nodes.append({"name": name, "op": "Const", "attr": {"dtype": {
            "type": "DT_INT32" if array.dtype == np.int32 else "DT_FLOAT"}}})
        named.append((name, array))
        return array

    def node(name, op, inputs, **attributes):
        nodes.append({"name": name, "op": op, "input": inputs,
                      "attr": attributes})

    def fused(name, source, c, n, ops, extra):
        w = const(name + "/w", r.normal(0, 1.2 / np.sqrt(9 * c),
                                        (3, 3, c, n)))
        b = const(name + "/b", r.normal(0, .1, n))
        node(name, "_FusedConv2D", [source, name + "/w", name + "/b"] + extra,
             T={"type": "DT_FLOAT"}, padding=b64("SAME"),
             strides={"list": {"i": ["1", "1", "1", "1"]}},
             data_format=b64("NHWC"),
             fused_ops={"list": {"s": [b64(o)["s"] for o in ops]}})
        return w, b

    nodes.append({"name": "x", "op": "Placeholder", "attr": {
        "dtype": {"type": "DT_FLOAT"}, "shape": {"shape": {"dim": [
            {"size": "-1"}, {"size": "-1"}, {"size": "-1"},
            {"size": "3"}]}}}})
    a = const("slopes", r.uniform(-.2, .4, 8))
    y = conv(x, *fused("one", "x", 3, 8, ["BiasAdd", "Prelu"], ["slopes"]))
    y = np.where(y > 0, y, a * y)
    z = np.maximum(conv(y, *fused("two", "one", 8, 8, ["BiasAdd", "Relu"],
                                  [])), 0)
    node("sum", "AddV2", ["one", "two"], T={"type": "DT_FLOAT"})
    y = y + z
    y = conv(y, *fused("three", "sum", 8, 12, ["BiasAdd"], []))
    node("shuffle", "DepthToSpace", ["three"], block_size={"i": "2"},
         data_format=b64("NHWC"))
    y = to_space(y, 2)
    const("size", [x.shape[0] * 2, x.shape[1] * 2])
    nodes[0]["attr"]["shape"]["shape"]["dim"][1]["size"] = str(x.shape[0])
    nodes[0]["attr"]["shape"]["shape"]["dim"][2]["size"] = str(x.shape[1])
    node("large", "ResizeBilinear", ["x", "size"],
         align_corners={"b": False}, half_pixel_centers={"b": True})
    node("y", "AddV2", ["shuffle", "large"], T={"type": "DT_FLOAT"})
    with open(path, "w") as f:
        json.dump({"format": "graph-model", "modelTopology": {
            "node": nodes, "library": {}, "versions": {}},
            "weightsManifest": write_shards(os.path.dirname(path), named,
                                            "float32")}, f)
    return y + bilinear(x, 2, True)


ONE = {"range": "0-1"}
# name, function, version, file, scale, options
MODELS = [
    ("keras_fsrcnn_x3", fsrcnn, 2, "h5", 3, ONE),
    ("keras_inverted_x2", inverted, 2, "h5", 2, ONE),
    ("keras_edsr_x3", edsr, 2, "h5", 3, ONE),
    ("keras_nested_x2", nested, 2, "h5", 2, ONE),
    ("keras_many_x2", many, 2, "h5", 2, ONE),
    ("keras_lambdas_x2", lambdas, 2, "h5", 2, ONE),
    ("keras1_espcn_x2", plain_espcn, 2, "old", 2, ONE),
    ("keras3_fsrcnn_x3", fsrcnn, 3, "keras", 3, ONE),
    ("keras3_nested_x2", nested, 3, "keras", 2, ONE),
    ("keras3_many_x2", many, 3, "keras", 2, ONE),
    ("keras_weights_srcnn", srcnn_weights, 2, "weights", 1, ONE),
    ("keras_weights_espcn_x3", espcn_weights, 2, "weights", 3, ONE),
    ("keras_weights_fsrcnn_x3", fsrcnn, 2, "weights", 3, ONE),
    ("keras_weights_edsr_x4", edsr_weights, 2, "weights", 4, {}),
    ("keras_weights_srresnet_x2", srresnet_weights, 2, "weights", 2, {}),
    ("tfjs_fsrcnn_x3", fsrcnn, 2, "float32", 3, ONE),
    ("tfjs_nested_u16_x2", nested, 2, "uint16", 2, ONE),
    ("tfjs_inverted_u8_x2", inverted, 2, "uint8", 2, ONE),
    ("tfjs_edsr_f16_x3", edsr, 2, "float16", 3, ONE),
    ("tfjs_graph_x2", None, 0, "graph", 2, ONE),
]


class Quantised(Replay):
    def __init__(self, k, how):
        inner = getattr(k, "inner", {})
        arrays = []
        for layer, weights in k.weights.items():
            for _, a in weights + [
                    w for l in (inner[layer].weights.values()
                                if layer in inner else []) for w in l]:
                arrays.append(quantise(a, how)[2])
        super().__init__(arrays)


class Doubles:
    """A Keras' numbers, rounded no more than they are"""

    def __init__(self, replay):
        self.replay = replay

    def __getattr__(self, name):
        f = getattr(self.replay, name)

        class Kept(np.ndarray):
            def astype(self, *_):
                return np.asarray(self)
        return lambda *a: np.asarray(f(*a)).view(Kept)


def make(folder):
    entries = []
    for seed, (name, function, version, how, scale, options) in enumerate(
            MODELS):
        if h5py is None and how in ("h5", "old", "keras", "weights"):
            continue
        home = os.path.join(folder, name)
        os.makedirs(home, exist_ok=True)
        x = np.random.default_rng(98).uniform(0, 1, (36, 44, 3)).astype(
            np.float32)
        data = x.astype(float)
        file = {"h5": name + ".h5", "old": name + ".h5",
                "weights": name + ".h5",
                "keras": name + ".keras"}.get(how, "model.json")
        path = os.path.join(home, file)
        if how == "graph":
            y = write_graph_js(path, data, seed)
        else:
            k = Keras(seed, version)
            y = function(k, data)
            if how in ("uint8", "uint16", "float16"):
                again = Keras(seed, version)
                again.random = Doubles(Quantised(k, how))
                y = function(again, data)
            {"h5": write_h5, "old": write_old, "keras": write_keras,
             "weights": lambda p, m: write_h5(p, m, False)}.get(
                 how, lambda p, m: write_layers_js(p, m, how))(path, k)
        np.save(os.path.join(home, "input.npy"), x)
        np.save(os.path.join(home, "expected.npy"), np.ascontiguousarray(
            y, np.float32))
        entries.append({
            "id": name, "format": how, "model": [name + "/" + file],
            "scale": scale, "input": None, "input_tensor":
            name + "/input.npy", "expected": name + "/expected.npy",
            "expected_shape": list(y.shape), "layout": "HWC",
            "input_range": "[0,1]", "output_range": "[0,1]",
            "tolerance": 5e-5 * max(1., float(np.abs(y).max())),
            "options": options})
    return entries
