"""TensorFlow's files, written without it: graphs, SavedModels, checkpoints and
.tflite of made-up networks, and some that mean harm. For make-models.py.

SPDX-License-Identifier: MIT
"""
import os
import struct

import numpy as np

# --- Protocol buffers ---------------------------------------------------------


def varint(n):
    n &= (1 << 64) - 1
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def shape(dims):
    return b"".join(field(2, field(1, int(d))) for d in dims)


def tensor(a):
    if isinstance(a, list):
        return field(1, 7) + field(2, shape([len(a)])) + b"".join(
            field(8, s) for s in a)
    a = np.asarray(a)
    kind = {"float32": 1, "int32": 3}[str(a.dtype)]
    return field(1, kind) + field(2, shape(a.shape)) + field(4, a.tobytes())


def node(name, op, *inputs, **attributes):
    out = field(1, name) + field(2, op)
    for i in inputs:
        out += field(3, i)
    for key, value in attributes.items():
        out += field(5, field(1, key) + field(2, value))
    return out


def text(s):
    return field(2, s)


def ints(*numbers):
    return field(1, field(3, b"".join(varint(n) for n in numbers)))


def const(name, a):
    return node(name, "Const", value=field(8, tensor(a)))


def conv(name, x, w):
    return node(name, "Conv2D", x, w, strides=ints(1, 1, 1, 1),
                padding=text("SAME"), data_format=text("NHWC"))


def function(name, arguments, results, nodes):
    """results: name of the output -> value in the body"""
    signature = field(1, name)
    for a in arguments:
        signature += field(2, field(1, a))
    for r in results:
        signature += field(3, field(1, r))
    out = field(1, signature)
    for n in nodes:
        out += field(3, n)
    for r, value in results.items():
        out += field(4, field(1, r) + field(2, value))
    return out


def call(name, callee, *inputs, op="StatefulPartitionedCall"):
    return node(name, op, *inputs, f=field(10, field(1, callee)))


def graph(nodes, functions=()):
    library = b"".join(field(1, f) for f in functions)
    return b"".join(field(1, n) for n in nodes) + (
        field(2, library) if functions else b"")


def info(name, dims):
    return field(1, name) + field(2, 1) + field(3, shape(dims))


def saved_model(graph_def, inputs, outputs):
    signature = b"".join(field(1, field(1, k) + field(2, info(*v)))
                         for k, v in inputs.items())
    signature += b"".join(field(2, field(1, k) + field(2, info(*v)))
                          for k, v in outputs.items())
    meta = field(1, field(4, "serve")) + field(2, graph_def) + field(
        5, field(1, "serving_default") + field(2, signature))
    return field(1, 1) + field(2, meta)


# --- Checkpoints --------------------------------------------------------------


def crc(data):
    s = 0xffffffff
    for byte in data:
        s ^= byte
        for _ in range(8):
            s = s >> 1 ^ (0x82f63b78 if s & 1 else 0)
    s ^= 0xffffffff
    return ((s >> 15 | s << 17) + 0xa282ead8) & 0xffffffff


def snappy(data):
    """Literals, and a copy of what came 12 bytes before where it fits."""
    out, i, start = varint(len(data)), 0, 0

    def literal(part):
        packed = b""
        for at in range(0, len(part), 60):
            piece = part[at:at + 60]
            packed += bytes([len(piece) - 1 << 2]) + piece
        return packed
    while i < len(data):
        n = 0
        while i >= 12 and n < 60 and i + n < len(data) and (
                data[i + n] == data[i + n - 12]):
            n += 1
        if n >= 4:
            out += literal(data[start:i]) + bytes([n - 1 << 2 | 2, 12, 0])
            i += n
            start = i
        else:
            i += 1
    return out + literal(data[start:])


def block(entries, compressed):
    body, before = b"", b""
    for key, value in entries:
        shared = 0
        while shared < min(len(key), len(before)) and (
                key[shared] == before[shared]):
            shared += 1
        body += varint(shared) + varint(len(key) - shared) + varint(
            len(value)) + key[shared:] + value
        before = key
    body += struct.pack("<II", 0, 1)
    body = snappy(body) + b"\1" if compressed else body + b"\0"
    return body + struct.pack("<I", crc(body))


def table(entries, compressed=False):
    out, handles = b"", []
    for at in range(0, len(entries), 5):
        part = entries[at:at + 5]
        b = block(part, compressed)
        handles.append((part[-1][0] + b"~", varint(len(out)) +
                        varint(len(b) - 5)))
        out += b
    places = b""
    for b in (block([], False), block(handles, compressed)):
        places += varint(len(out)) + varint(len(b) - 5)
        out += b
    return out + places.ljust(40, b"\0") + bytes.fromhex("57fb808b247547db")


def write_bundle(stem, variables, shards=1, compressed=False):
    data = [b""] * shards
    entries = [(b"", field(1, shards))]
    for i, (name, a) in enumerate(sorted(variables.items())):
        raw = np.asarray(a, np.float32).tobytes()
        s = i % shards
        entries.append((name.encode(), field(1, 1) + field(2, shape(a.shape)) +
                        field(3, s) + field(4, len(data[s])) +
                        field(5, len(raw)) + b"\x35" +
                        struct.pack("<I", crc(raw))))
        data[s] += raw
    for s in range(shards):
        with open("%s.data-%05d-of-%05d" % (stem, s, shards), "wb") as f:
            f.write(data[s])
    with open(stem + ".index", "wb") as f:
        f.write(table(entries, compressed))


# --- FlatBuffers --------------------------------------------------------------


class Table:
    """Fields by number: ("b", n), ("i", n), ("q", n), ("f", x), a Table, a
    list of Tables, bytes, or (item format, numbers)."""

    def __init__(self, **fields):
        self.fields = {int(k[1:]): v for k, v in fields.items()}


def write_flat(root, identifier):
    out = bytearray(8)
    out[4:8] = identifier

    def pad(n):
        while len(out) % n:
            out.append(0)

    def place(value):
        """Appends what an offset leads to."""
        if isinstance(value, Table):
            return place_table(value)
        pad(16)
        out.extend(bytes(12))
        at = len(out)
        if isinstance(value, bytes):
            out.extend(struct.pack("<I", len(value)) + value + b"\0")
        elif isinstance(value, list):
            out.extend(struct.pack("<I", len(value)) + bytes(4 * len(value)))
            for i, item in enumerate(value):
                there = at + 4 + 4 * i
                struct.pack_into("<I", out, there, place(item) - there)
        else:
            kind, numbers = value
            out.extend(struct.pack("<I", len(numbers)))
            out.extend(struct.pack("<%d%s" % (len(numbers), kind), *numbers))
        return at

    def is_scalar(value):
        return isinstance(value, tuple) and len(value[0]) == 1 and not (
            isinstance(value[1], (list, tuple)))

    def place_table(t):
        count = max(t.fields, default=-1) + 1
        size = 4 + 8 * count
        pad(8)
        listed = len(out)
        out.extend(bytes(4 + 2 * count))
        pad(8)
        at = len(out)
        out.extend(bytes(size + 4))
        struct.pack_into("<HH", out, listed, 4 + 2 * count, size + 4)
        struct.pack_into("<i", out, at, at - listed)
        for number, value in t.fields.items():
            there = at + 8 + 8 * number
            struct.pack_into("<H", out, listed + 4 + 2 * number, there - at)
            if is_scalar(value):
                struct.pack_into("<" + value[0], out, there, value[1])
            else:
                struct.pack_into("<I", out, there, place(value) - there)
        return at

    struct.pack_into("<I", out, 0, place_table(root))
    return bytes(out)


class Lite:
    """A .tflite in the making."""

    def __init__(self):
        self.buffers, self.tensors = [Table()], []
        self.codes, self.operators = [], []

    def add(self, dims, kind=0, data=None, scale=None, zero=None, axis=0):
        t = Table(_0=("i", [int(d) for d in dims]), _1=("b", kind),
                  _3=b"tensor %d" % len(self.tensors))
        if data is not None:
            t.fields[2] = ("i", len(self.buffers))
            self.buffers.append(Table(_0=data.tobytes()))
        if scale is not None:
            t.fields[4] = Table(_2=("f", list(map(float, scale))),
                                _3=("q", list(map(int, zero))),
                                _6=("i", axis))
        self.tensors.append(t)
        return len(self.tensors) - 1

    def op(self, code, inputs, output, **options):
        if code not in self.codes:
            self.codes.append(code)
        self.operators.append(Table(
            _0=("i", self.codes.index(code)), _1=("i", list(inputs)),
            _2=("i", [output]), _4=Table(**options)))
        return output

    def weight(self, a, how, axis=0):
        """A constant: floats, halves (which an operator makes floats of), or
        codes of one scale or of one for each channel, which @a is set to."""
        if how == "fp32":
            return self.add(a.shape, 0, a.astype("<f4"))
        if how == "fp16":
            half = a.astype("<f2")
            a[...] = half.astype(np.float32)
            return self.op(6, [self.add(a.shape, 1, half)], self.add(a.shape))
        others = tuple(i for i in range(a.ndim) if i != axis)
        scale = np.abs(a).max(others if how == "channel" else None) / 127
        scale = np.float32(np.atleast_1d(scale))
        wide = scale.reshape([-1 if i == axis and how == "channel" else 1
                              for i in range(a.ndim)])
        code = np.rint(a / wide).astype("i1")
        a[...] = code * wide
        return self.add(a.shape, 9, code, scale, [0] * len(scale), axis)

    def finish(self, first, last):
        graph_table = Table(_0=self.tensors, _1=("i", [first]),
                            _2=("i", [last]), _3=self.operators)
        return write_flat(Table(
            _0=("i", 3), _1=[Table(_0=("b", c), _3=("i", c))
                             for c in self.codes],
            _2=[graph_table], _4=self.buffers), b"TFL3")


# --- Networks -----------------------------------------------------------------


def shuffle(y, r):
    """DepthToSpace: channel (dy r + dx) c + i."""
    c, h, w = y.shape
    y = y.reshape(r, r, c // (r * r), h, w).transpose(2, 3, 0, 4, 1)
    return y.reshape(c // (r * r), h * r, w * r)


def plain_weights(random, channels, width, depth, scale):
    """Kernels [h][w][in][out] and biases of an anchor-based plain net."""
    sizes = [channels] + [width] * depth + [channels * scale * scale]
    return [(np.float32(random.normal(0, 1.2 / np.sqrt(9 * a), (3, 3, a, b))),
             np.float32(random.normal(0, .1, b)))
            for a, b in zip(sizes, sizes[1:])]


def plain(conv2d, weights, x, scale):
    y = x
    for i, (w, b) in enumerate(weights):
        y = conv2d(y, w.transpose(3, 2, 0, 1).astype(np.float64), b, 1, 1)
        if i < len(weights) - 1:
            y = np.maximum(y, 0)
    return shuffle(y + np.concatenate([x] * scale ** 2), scale)


def make_lite(path, weights, scale, how, channels):
    m = Lite()
    x = m.add([1, 8, 8, channels])
    first, y = x, x
    for i, (w, b) in enumerate(weights):
        last = i == len(weights) - 1
        lite = np.ascontiguousarray(w.transpose(3, 0, 1, 2))
        weight = m.weight(lite, how)
        w[...] = lite.transpose(1, 2, 3, 0)
        y = m.op(3, [y, weight, m.weight(b, "fp32")],
                 m.add([1, 8, 8, w.shape[3]]), _0=("b", 0), _1=("i", 1),
                 _2=("i", 1), _3=("b", 0 if last else 1), _4=("i", 1),
                 _5=("i", 1))
    anchor = m.op(2, [x] * scale ** 2,
                  m.add([1, 8, 8, channels * scale ** 2]), _0=("i", 3))
    y = m.op(0, [anchor, y], m.add([1, 8, 8, channels * scale ** 2]))
    y = m.op(5, [y], m.add([1, 8 * scale, 8 * scale, channels]),
             _0=("i", scale))
    with open(path, "wb") as f:
        f.write(m.finish(first, y))


def make_saved_model(home, weights, scale, channels):
    """As Keras exports: the model is a function of the signature's function,
    variables are passed to both; another function restores them."""
    nodes = [node("serving_default_x", "Placeholder", dtype=field(6, 1))]
    names, variables, restore = [], {}, []
    for i, pair in enumerate(weights):
        for kind, a in zip(("kernel", "bias"), pair):
            name = "conv%d/%s" % (i, kind)
            key = "layer_with_weights-%d/%s/.ATTRIBUTES/VARIABLE_VALUE" % (
                i, kind)
            nodes.append(node(name, "VarHandleOp", shared_name=text(name)))
            names.append(name)
            variables[key] = a
    arguments = ["v%d" % i for i in range(len(names))]
    body, y = [], "x"
    for i in range(len(weights)):
        k, b = "k%d" % i, "b%d" % i
        body += [node(k, "ReadVariableOp", arguments[2 * i]),
                 node(b, "ReadVariableOp", arguments[2 * i + 1]),
                 conv("c%d" % i, y, k + ":value:0"),
                 node("a%d" % i, "BiasAdd", "c%d:output:0" % i,
                      b + ":value:0")]
        y = "a%d:output:0" % i
        if i < len(weights) - 1:
            body.append(node("r%d" % i, "Relu", y))
            y = "r%d:activations:0" % i
    body += [const("axis", np.int32(-1)),
             node("anchor", "ConcatV2", *["x"] * scale ** 2, "axis:output:0"),
             node("sum", "AddV2", y, "anchor:output:0"),
             node("d2s", "DepthToSpace", "sum:z:0",
                  block_size=field(3, scale)),
             node("out", "Identity", "d2s:output:0")]
    outer = [call("model", "__inference_model", "x", *arguments,
                  op="PartitionedCall"),
             node("identity", "Identity", "model:output:0")]
    keys = list(variables)
    restore = [const("names", keys), const("slices", [""] * len(keys)),
               node("RestoreV2", "RestoreV2", "prefix", "names:output:0",
                    "slices:output:0")]
    for i in range(len(keys)):
        restore += [node("i%d" % i, "Identity", "RestoreV2:tensors:%d" % i),
                    node("assign%d" % i, "AssignVariableOp", arguments[i],
                         "i%d:output:0" % i)]
    nodes += [call("StatefulPartitionedCall", "__inference_wrapper",
                   "serving_default_x", *names),
              const("prefix", ["p"]),
              call("StatefulPartitionedCall_1", "__inference_restore",
                   "prefix", *names)]
    functions = [
        function("__inference_model", ["x"] + arguments,
                 {"result": "out:output:0"}, body),
        function("__inference_wrapper", ["x"] + arguments,
                 {"result": "identity:output:0"}, outer),
        function("__inference_restore", ["prefix"] + arguments, {}, restore)]
    os.makedirs(home + "/variables", exist_ok=True)
    with open(home + "/saved_model.pb", "wb") as f:
        f.write(saved_model(
            graph(nodes, functions),
            {"x": ("serving_default_x:0", [-1, -1, -1, channels])},
            {"y": ("StatefulPartitionedCall:0", [-1, -1, -1, channels])}))
    # names that lead nowhere but through what restores them
    write_bundle(home + "/variables/variables", variables, compressed=True)


def make_checkpoint(stem, weights, scale, channels):
    """As TensorFlow 1 trains: what feeds it is an iterator, and there is a
    loss."""
    nodes = [node("IteratorGetNext", "IteratorGetNext", "handle")]
    variables, y = {}, "IteratorGetNext"
    for i, (w, b) in enumerate(weights):
        for name, a in (("w%d" % i, w), ("b%d" % i, b)):
            nodes += [node(name, "VariableV2"),
                      node(name + "/read", "Identity", name)]
            variables[name] = a
            variables[name + "/Adam"] = 0 * a
        nodes += [conv("conv%d" % i, y, "w%d/read" % i),
                  node("add%d" % i, "BiasAdd", "conv%d" % i, "b%d/read" % i)]
        y = "add%d" % i
        if i < len(weights) - 1:
            nodes.append(node("relu%d" % i, "Relu", y))
            y = "relu%d" % i
    nodes += [const("axis", np.int32(3)),
              node("anchor", "ConcatV2", *["IteratorGetNext"] * scale ** 2,
                   "axis"),
              node("sum", "Add", y, "anchor"),
              node("out", "DepthToSpace", "sum", block_size=field(3, scale)),
              node("loss", "SquaredDifference", "IteratorGetNext:1", "out")]
    write_bundle(stem, variables, shards=3)
    with open(stem + ".meta", "wb") as f:
        f.write(field(1, field(4, "train")) + field(2, graph(nodes)) +
                field(3, b""))


def make_all(folder, conv2d):
    """Writes the models; gives what LIST.json says of them."""
    entries = []
    for seed, (name, how, channels, width, depth, scale) in enumerate((
            ("tflite_x3", "fp32", 3, 10, 2, 3),
            ("tflite_half_y_x2", "fp16", 1, 7, 1, 2),
            ("tflite_channel_x2", "channel", 3, 9, 2, 2),
            ("tflite_tensor_y_x4", "tensor", 1, 6, 3, 4),
            ("saved_model_x3", "saved_model", 3, 7, 2, 3),
            ("saved_model_y_x2", "saved_model", 1, 11, 3, 2),
            ("checkpoint_x2", "checkpoint", 3, 8, 3, 2),
            ("checkpoint_y_x4", "checkpoint", 1, 5, 1, 4))):
        random = np.random.default_rng(700 + seed)
        home = os.path.join(folder, name)
        os.makedirs(home, exist_ok=True)
        weights = plain_weights(random, channels, width, depth, scale)
        if how == "saved_model":
            model = "saved_model.pb"
            make_saved_model(home, weights, scale, channels)
        elif how == "checkpoint":
            model = name + ".index"
            make_checkpoint(os.path.join(home, name), weights, scale, channels)
        else:
            model = name + ".tflite"
            make_lite(os.path.join(home, model), weights, scale, how, channels)
        x = random.uniform(0, 1, (channels, 20, 28)).astype(np.float32)
        y = plain(conv2d, weights, x.astype(np.float64), scale)
        np.save(os.path.join(home, "input.npy"), x)
        np.save(os.path.join(home, "expected.npy"), y.astype(np.float32))
        entries.append({
            "id": name, "format": how, "model": [name + "/" + model],
            "scale": scale, "input": None,
            "input_tensor": name + "/input.npy",
            "expected": name + "/expected.npy",
            "expected_shape": list(y.shape), "layout": "CHW",
            "input_range": "[0,1]", "output_range": "[0,1]",
            "tolerance": 2e-5 * max(1., float(np.abs(y).max())),
            "options": {},
        })
    entries.append(make_srcnn(folder, conv2d))
    make_harmful(os.path.join(folder, "harmful"))
    return entries


def make_srcnn(folder, conv2d):
    """A checkpoint without a graph: names and shapes have to do."""
    name, home = "checkpoint_srcnn", os.path.join(folder, "checkpoint_srcnn")
    random = np.random.default_rng(800)
    x = random.uniform(0, 1, (1, 20, 28)).astype(np.float32)
    os.makedirs(home, exist_ok=True)
    variables, y, before = {}, x.astype(np.float64), 1
    for i, (side, width) in enumerate(((9, 7), (1, 5), (5, 1))):
        w = np.float32(random.normal(0, 1 / np.sqrt(side * side * before),
                                     (side, side, before, width)))
        b = np.float32(random.normal(0, .1, width))
        variables["conv%d/kernel" % (i + 1)] = w
        variables["conv%d/bias" % (i + 1)] = b
        variables["conv%d/kernel/Adam" % (i + 1)] = 0 * w
        y = conv2d(y if i == 0 else np.maximum(y, 0),
                   w.transpose(3, 2, 0, 1).astype(np.float64), b, 1, side // 2)
        before = width
    write_bundle(os.path.join(home, name), variables)
    np.save(os.path.join(home, "input.npy"), x)
    np.save(os.path.join(home, "expected.npy"), y.astype(np.float32))
    return {
        "id": name, "format": "checkpoint",
        "model": [name + "/" + name + ".index"], "scale": 1, "input": None,
        "input_tensor": name + "/input.npy",
        "expected": name + "/expected.npy", "expected_shape": list(y.shape),
        "layout": "CHW", "input_range": "[0,1]", "output_range": "[0,1]",
        "tolerance": 2e-5 * max(1., float(np.abs(y).max())), "options": {},
    }


# --- Files that mean harm -----------------------------------------------------


def make_harmful(home):
    os.makedirs(home, exist_ok=True)
    x = node("x", "Placeholder", dtype=field(6, 1))
    signature = ({"x": ("x:0", [-1, -1, -1, 3])}, {"y": ("y:0", [-1] * 4)})
    itself = function("f", ["a"], {"r": "c:output:0"},
                      [call("c", "f", "a")])
    doubling = [function("f%d" % i, ["a"], {"r": "d:output:0"},
                         [call("c", "f%d" % (i + 1), "a"),
                          call("d", "f%d" % (i + 1), "c:output:0")])
                for i in range(40)]
    doubling.append(function("f40", ["a"], {"r": "a"}, []))
    huge = node("w", "Const", value=field(8, field(1, 1) + field(
        2, shape([1 << 20, 1 << 20, 1 << 10]))))
    files = {
        "recursive.pb": saved_model(graph([x, call("y", "f", "x")], [itself]),
                                    *signature),
        "doubling.pb": saved_model(
            graph([x, call("y", "f0", "x")], doubling), *signature),
        "cycle.pb": graph([x, node("a", "Add", "b", "x"),
                           node("b", "Add", "a", "x"),
                           node("y", "Relu", "b")]),
        "identities.pb": graph([x, node("a", "Identity", "b"),
                                node("b", "Identity", "a"),
                                node("y", "Relu", "a")]),
        "petabyte.pb": graph([x, huge, conv("y", "x", "w")]),
    }
    good = table([(b"", field(1, 1)), (b"a", field(1, 1))])
    files["restarts.index"] = good.replace(
        struct.pack("<II", 0, 1), struct.pack("<II", 0, 0xffffffff), 1)
    files["snappy.index"] = table([(b"", field(1, 1)), (b"a", b"\xff" * 90)],
                                  True)
    files["state"] = b'model_checkpoint_path: "../../../../etc/passwd"\n'
    m = Lite()
    first = m.add([1, 8, 8, 3])
    m.tensors.append(Table(_0=("i", [1 << 30, 1 << 30, 3, 3]), _1=("b", 0),
                           _2=("i", 1)))
    m.buffers.append(Table(_0=b"12345678"))
    m.op(3, [first, 1], m.add([1, 8, 8, 3]))
    files["petabyte.tflite"] = m.finish(first, 2)
    m = Lite()
    first = m.add([1, 8, 8, 3])
    m.op(19, [1], m.add([1, 8, 8, 3]))
    m.op(19, [1], m.add([1, 8, 8, 3]))
    files["cycle.tflite"] = m.finish(first, 2)
    for name, data in files.items():
        with open(os.path.join(home, name), "wb") as f:
            f.write(data)
