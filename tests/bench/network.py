"""Our model files for other engines: read, and written as ONNX or as a plain
list of layers (run-onednn.cpp).

    network.py MODEL WIDTH HEIGHT FOLDER    writes FOLDER/NAME.{onnx,layers,weights}

SPDX-License-Identifier: MIT
"""

import json
import os
import struct
import sys

import numpy as np


class Network:
    """Layers as the file describes them, and tensors by name."""

    def __init__(self, path):
        with open(path, "rb") as file:
            size = struct.unpack("<Q", file.read(8))[0]
            header = json.loads(file.read(size))
            data = file.read()
        network = json.loads(header.pop("__metadata__")["srgan.network"])
        self.layers = network["layers"]
        self.scale = network["scale"]
        self.tensors = {}
        for name, tensor in header.items():
            if tensor["dtype"] != "F32":
                continue  # what only int8 needs
            first, end = tensor["data_offsets"]
            values = np.frombuffer(data[first:end], "<f4")
            self.tensors[name] = values.reshape(tensor["shape"])

    def get(self, layer, name):
        return self.tensors.get(layer["name"] + "." + name)


def write_onnx(network, width, height, path):
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants = [], []

    def add_constant(name, values):
        constants.append(numpy_helper.from_array(np.array(values, "f4"), name))
        return name

    def add_node(kind, inputs, output, **attributes):
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    for layer in network.layers:
        name, inputs = layer["name"], list(layer["inputs"])
        activation = layer.get("activation", "none")
        result = name if activation == "none" else name + "-linear"
        kind = layer["operation"]
        if kind == "conv":
            side = layer["kernel_width"]
            for tensor in ("weight", "bias"):
                inputs.append(
                    add_constant(f"{name}.{tensor}", network.get(layer, tensor))
                )
            add_node("Conv", inputs, result, kernel_shape=[side, side],
                     pads=[side // 2] * 4, strides=[1, 1])
        elif kind == "add":
            add_node("Add", inputs, result)
        elif kind == "pixel-shuffle":
            add_node("DepthToSpace", inputs, result,
                     blocksize=layer["factor"], mode="CRD")
        elif kind == "resize":
            inputs += [add_constant(name + ".roi", []),
                       add_constant(name + ".scales",
                                    [1, 1, layer["factor"], layer["factor"]])]
            add_node("Resize", inputs, result, mode="nearest",
                     coordinate_transformation_mode="asymmetric",
                     nearest_mode="floor")
        else:
            sys.exit(f"network.py: {name}: no {kind} here")
        if activation == "prelu":
            slope = network.get(layer, "slope").reshape(-1, 1, 1)
            add_node("PRelu", [result, add_constant(name + ".slope", slope)],
                     name)
        elif activation == "leaky-relu":
            add_node("LeakyRelu", [result], name,
                     alpha=layer["activation_low"])
        elif activation != "none":
            sys.exit(f"network.py: {name}: no {activation} here")

    shape = [1, 3, height, width]
    larger = [1, 3, height * network.scale, width * network.scale]
    graph = helper.make_graph(
        nodes, "network",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(network.layers[-1]["name"],
                                       TensorProto.FLOAT, larger)],
        constants)
    model = helper.make_model(graph,
                              opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 7
    onnx.checker.check_model(model)
    onnx.save(model, path)


def write_layers(network, path, weights_path):
    """conv NAME INPUT IN OUT SIDE ACTIVATION LOW | add NAME A B |
    shuffle NAME INPUT FACTOR CHANNELS | repeat NAME INPUT FACTOR; weights: of
    each layer its weight, bias and slopes."""
    channels = {"input": 3}
    with open(path, "w") as file, open(weights_path, "wb") as weights:
        for layer in network.layers:
            name, inputs = layer["name"], layer["inputs"]
            kind, factor = layer["operation"], layer.get("factor")
            activation = layer.get("activation", "none")
            tail = f"{activation} {layer.get('activation_low', 0)}"
            out = channels[inputs[0]]
            if kind == "conv":
                line = (f"conv {name} {inputs[0]} {out} "
                        f"{layer['out_channels']} {layer['kernel_width']}")
                out = layer["out_channels"]
            elif kind == "add":
                line = f"add {name} {inputs[0]} {inputs[1]}"
            elif kind == "pixel-shuffle":
                out //= factor * factor
                line = f"shuffle {name} {inputs[0]} {factor}"
            elif kind == "resize":
                line = f"repeat {name} {inputs[0]} {factor}"
            else:
                sys.exit(f"network.py: {name}: no {kind} here")
            channels[name] = out
            file.write(f"{line} {tail}\n")
            for tensor in ("weight", "bias", "slope"):
                if network.get(layer, tensor) is not None:
                    network.get(layer, tensor).tofile(weights)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    this = Network(sys.argv[1])
    stem = os.path.basename(sys.argv[1]).rsplit(".", 1)[0]
    stem = os.path.join(sys.argv[4], stem)
    write_layers(this, stem + ".layers", stem + ".weights")
    try:
        write_onnx(this, int(sys.argv[2]), int(sys.argv[3]), stem + ".onnx")
    except ImportError:
        print("network.py: no python3-onnx: no ONNX files", file=sys.stderr)
