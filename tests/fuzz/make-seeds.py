#!/usr/bin/env python3
"""Small models to begin fuzzing with, one or more for each graph format.

    make-seeds.py FOLDER

Each is a network of two convolutions and a pixel shuffle, or what comes close
in its format, written byte by byte. Where a model is several files these stand
one behind the other, see fuzz-reader.c.

SPDX-License-Identifier: MIT
"""
import json
import os
import struct
import sys

MARK = b"\0\0PART\0\0"
ROW = [((7 * i) % 11 - 5) / 20 for i in range(4 * 4 * 9)]


def floats(n):
    return struct.pack("<%df" % n, *(ROW * 9)[:n])


# --- protobuf ---------------------------------------------------------------

def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def number(field, n):
    return varint(field << 3) + varint(n)


def data(field, content):
    if isinstance(content, str):
        content = content.encode()
    return varint(field << 3 | 2) + varint(len(content)) + content


def onnx():
    def tensor(name, shape):
        n = 1
        for side in shape:
            n *= side
        return data(5, b"".join(number(1, side) for side in shape) +
                    number(2, 1) + data(8, name) + data(9, floats(n)))

    def node(kind, inputs, output, *attributes):
        return data(1, b"".join(data(1, i) for i in inputs) +
                    data(2, output) + data(4, kind) + b"".join(attributes))

    def ints(name, values):
        return data(5, data(1, name) + b"".join(number(8, v) for v in values) +
                    number(20, 7))

    def value(field, name):
        sides = data(1, number(1, 1)) + data(1, number(1, 1)) + \
            data(1, data(2, "h")) + data(1, data(2, "w"))
        return data(field, data(1, name) +
                    data(2, data(1, number(1, 1) + data(2, sides))))

    pads = ints("pads", [1, 1, 1, 1])
    graph = node("Conv", ["x", "a", "b"], "c", pads) + \
        node("Relu", ["c"], "d") + \
        node("Conv", ["d", "e", "f"], "g", pads) + \
        node("DepthToSpace", ["g"], "y",
             data(5, data(1, "blocksize") + number(3, 2) + number(20, 2))) + \
        data(2, "seed") + tensor("a", [4, 1, 3, 3]) + tensor("b", [4]) + \
        tensor("e", [4, 4, 3, 3]) + tensor("f", [4]) + value(11, "x") + \
        value(12, "y")
    return number(1, 8) + data(7, graph) + data(8, data(1, "") +
                                                number(2, 17))


def tensorflow():
    def node(name, kind, inputs, **attributes):
        return data(1, data(1, name) + data(2, kind) +
                    b"".join(data(3, i) for i in inputs) +
                    b"".join(data(5, data(1, k) + data(2, v))
                             for k, v in attributes.items()))

    def shape(sides):
        return b"".join(data(2, number(1, side)) for side in sides)

    def tensor(sides):
        n = 1
        for side in sides:
            n *= side
        return data(8, number(1, 1) + data(2, shape(sides)) +
                    data(4, floats(n)))

    kind = number(6, 1)
    strides = data(1, b"".join(number(3, 1) for _ in range(4)))
    unknown = data(2, number(1, (1 << 64) - 1))
    picture = data(7, unknown * 3 + data(2, number(1, 1)))
    return node("x", "Placeholder", [], dtype=kind, shape=picture) + \
        node("a", "Const", [], dtype=kind, value=tensor([3, 3, 1, 4])) + \
        node("b", "Const", [], dtype=kind, value=tensor([4])) + \
        node("c", "Conv2D", ["x", "a"], T=kind, strides=strides,
             padding=data(2, "SAME")) + \
        node("d", "BiasAdd", ["c", "b"], T=kind) + \
        node("e", "Relu", ["d"], T=kind) + \
        node("y", "DepthToSpace", ["e"], T=kind, block_size=number(3, 2))


# --- text -------------------------------------------------------------------

def ncnn():
    text = """7767517
5 5
Input in 0 1 data
Convolution c 1 1 data a 0=4 1=3 4=1 5=1 6=36
ReLU r 1 1 a b 0=0.1
Convolution d 1 1 b e 0=4 1=3 4=1 5=1 6=144
PixelShuffle s 1 1 e output 0=2
"""
    return text.encode() + MARK + bytes(4) + floats(36) + floats(4) + \
        bytes(4) + floats(144) + floats(4)


def waifu2x():
    def layer(n_in, n_out):
        return {"nInputPlane": n_in, "nOutputPlane": n_out, "kW": 3, "kH": 3,
                "weight": [[[ROW[3 * y:3 * y + 3] for y in range(3)]
                            for _ in range(n_in)] for _ in range(n_out)],
                "bias": ROW[:n_out]}
    return json.dumps([layer(1, 2), layer(2, 1)]).encode()


def tensorflow_js():
    def layer(kind, name, inputs, **config):
        return {"class_name": kind, "name": name,
                "config": dict(config, name=name),
                "inbound_nodes": [[[i, 0, 0, {}] for i in inputs]]
                if inputs else []}

    def conv(name, source, filters):
        return layer("Conv2D", name, [source], filters=filters,
                     kernel_size=[3, 3], strides=[1, 1], padding="same",
                     data_format="channels_last", dilation_rate=[1, 1],
                     activation="relu", use_bias=True)

    model = {"class_name": "Model", "config": {
        "name": "seed", "input_layers": [["x", 0, 0]],
        "output_layers": [["u", 0, 0]],
        "layers": [layer("InputLayer", "x", [],
                         batch_input_shape=[None, None, None, 3],
                         dtype="float32"),
                   conv("c", "x", 3),
                   layer("UpSampling2D", "u", ["c"], size=[2, 2],
                         data_format="channels_last",
                         interpolation="nearest")]}}
    weights = [{"name": "c/kernel", "shape": [3, 3, 3, 3],
                "dtype": "float32"},
               {"name": "c/bias", "shape": [3], "dtype": "float32"}]
    return json.dumps({
        "format": "layers-model",
        "modelTopology": {"keras_version": "2.4.0", "backend": "tensorflow",
                          "model_config": model},
        "weightsManifest": [{"paths": ["group1-shard1of1.bin"],
                             "weights": weights}]}).encode() + MARK + \
        floats(81 + 3)


def numbers(n, start=0):
    return ", ".join("%g" % ROW[(start + i) % len(ROW)] for i in range(n))


def shader():
    """One pixel after the other, with a macro and a rolled loop."""
    text = """// a seed
//!HOOK MAIN
//!BIND MAIN
//!SAVE a
//!COMPONENTS 4
#define go(x, y) (MAIN_texOff(vec2(x, y)))
vec4 hook() {
    vec4 r = vec4(%s);
    for (int y = -1; y <= 1; y++)
        for (int x = -1; x <= 1; x++)
            r += mat4(%s) * float(x + 2) * go(x, y);
    return max(r, vec4(0.0)) + vec4(%s) * min(r, 0.0);
}
//!HOOK MAIN
//!BIND HOOKED
//!BIND a
//!WIDTH MAIN.w 2 *
//!HEIGHT MAIN.h 2 *
//!WHEN OUTPUT.w MAIN.w / 1.2 >
vec4 hook() {
    vec2 f = fract(a_pos * a_size);
    ivec2 i = ivec2(f * vec2(2.0));
    float c = a_tex((vec2(0.5) - f) * a_pt + a_pos)[i.y * 2 + i.x];
    return vec4(c, c, c, 1.0) + HOOKED_tex(HOOKED_pos);
}
""" % (numbers(4), numbers(16), numbers(4, 5))
    return text.encode()


def shader_compute():
    """Work groups that share texels."""
    text = """//!HOOK LUMA
//!COMPUTE 8 4 4 4
//!BIND LUMA
//!SAVE m
//!WIDTH LUMA.w 2 *
//!COMPONENTS 4
#ifdef GL_EXT_half
#define V f16vec4
#else
#define V vec4
#endif
const ivec2 size = ivec2(gl_WorkGroupSize) + 2;
shared float p[size.y][size.x];
void hook() {
    ivec2 base = ivec2(gl_WorkGroupID) * ivec2(gl_WorkGroupSize);
    for (uint y = gl_LocalInvocationID.y; y < size.y; y += 4)
        for (uint x = gl_LocalInvocationID.x; x < size.x; x += 4) {
            if (x > 100) break;
            p[y][x] = (LUMA_mul * texelFetch(LUMA_raw,
                base + ivec2(x, y) - 1, 0)).x;
        }
    barrier();
    V r[2] = {V(%s), V(0.0)};
    r[0] += V(%s) * p[gl_LocalInvocationID.y][gl_LocalInvocationID.x + 2];
    r[1].xy = vec2(p[gl_LocalInvocationID.y + 1][gl_LocalInvocationID.x + 1]);
    ivec2 at = ivec2(gl_GlobalInvocationID) * ivec2(2, 1);
    imageStore(out_image, at, max(r[0], V(0)));
    imageStore(out_image, at + ivec2(1, 0), r[1]);
}
//!HOOK LUMA
//!COMPUTE 8 8
//!BIND m
//!WIDTH LUMA.w 2 *
//!HEIGHT LUMA.h 2 *
void hook() {
    ivec2 at = ivec2(gl_GlobalInvocationID);
    vec4 r = texelFetch(m_raw, at / 2 * ivec2(2, 1) + ivec2(at.y %% 2, 0), 0);
    imageStore(out_image, at, vec4(clamp(r[at.x %% 2], 0.0, 1.0), 0, 0, 1));
}
""" % (numbers(4), numbers(4, 3))
    return text.encode()


SEEDS = {
    "onnx": onnx, "tensorflow": tensorflow, "ncnn": ncnn, "waifu2x": waifu2x,
    "tensorflow-js": tensorflow_js, "shader": shader,
    "shader-compute": shader_compute,
}


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for name, make in SEEDS.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(make())


main()
