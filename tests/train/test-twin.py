"""test-twin.py TWIN FOLDER: the twin's part of test-twin.c, which says what is
in FOLDER. Exits with 77 where there is no PyTorch.

SPDX-License-Identifier: MIT
"""

import os
import sys

try:
    import numpy as np
    import torch
except ImportError as error:
    print(error)
    sys.exit(77)

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(sys.argv[1]))
import twin  # noqa: E402

folder = sys.argv[2]
torch.set_num_threads(1)
torch.manual_seed(5)


def path(name):
    return os.path.join(folder, name)


def read(name, *shape):
    return torch.from_numpy(np.fromfile(path(name), "f4").reshape(shape))


def write(name, values):
    values.detach().contiguous().numpy().astype("f4").tofile(path(name))


def shake(network):
    """Running statistics and norms as after a while of training."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for values in (module.weight.data, module.running_var):
                values.uniform_(.5, 1.5)
            for values in (module.bias.data, module.running_mean):
                values.uniform_(-.2, .2)
    return network.eval()


def run(network, name, size):
    channels = 1 if recipe["network.colour"] == "y" else 3
    source = read(name + ".in", 1, channels, size, size)
    with torch.no_grad():
        return network(source)


# Every key of srgan-train is known, at its default, and what is not done here
# refused by name.
recipe = twin.Recipe()
recipe.load(path("defaults.ini"))
for key, value in (("data.x264", "0.5"), ("data.jpeg", "0.1"),
                   ("data.pairs", "a;b"), ("data.downscale", "box;lanczos"),
                   ("training.precision", "int8"), ("training.restarts", "2"),
                   ("distillation.teacher", "x"), ("output.quantised", "true"),
                   ("validation.folder", "x"), ("validation.patience", "3"),
                   ("data.no-such", "1")):
    try:
        twin.Recipe().put(key, value)
    except SystemExit as refusal:
        assert key in str(refusal), refusal
    else:
        raise AssertionError(f"{key}={value} was taken")

# Generators both ways, discriminators from here.
for case in sorted(name[:-5] for name in os.listdir(folder)
                   if name.endswith(".conf")):
    recipe = twin.Recipe()
    recipe.load(path(case + ".conf"))
    colour, scale = recipe["network.colour"], recipe.count("network.scale")
    channels = 1 if colour == "y" else 3
    size = recipe.count("data.patch")
    network = shake(twin.Network(twin.design_generator(recipe), channels))
    twin.write_model(path(case + "-twin.safetensors"), network, "twin", colour,
                     scale, {})
    write(case + "-twin.out", run(network, case, size))
    network = twin.load_network(path(case + "-ours.safetensors")).eval()
    write(case + "-ours.out", run(network, case, size))
    if os.path.exists(path(case + "-state.safetensors")):
        other = twin.Network(twin.design_generator(recipe), channels)
        twin.take_state_dict(
            other, twin.read_model(path(case + "-state.safetensors"))[1])
        assert torch.equal(run(other, case, size), run(network, case, size))
    if recipe["network.design"] == "chain":
        recipe["network.channels"] = str(recipe.count("network.channels") + 3)
        recipe["network.layers"] = str(recipe.count("network.layers") + (
            0 if recipe["network.activation"] == "leaky-relu" else 2))
        other = twin.Network(twin.design_generator(recipe), channels)
        start, tensors = twin.read_model(path(case + "-ours.safetensors"))
        twin.grow(other, start["layers"], tensors)
        assert (run(other, case, size) -
                run(network, case, size)).abs().max() < 1e-5

    side = size * scale
    network = shake(twin.Network(twin.design_discriminator(recipe), channels))
    twin.write_model(path(case + "-rival.safetensors"), network, "rival",
                     colour, 1, {"ends": "features"})
    write(case + "-rival.out", run(network, case + "-rival", side))

# The losses, and their derivative, in double precision: SSIM is a small
# difference of large numbers.
twin.write_model(path("features.safetensors"),
                 twin.Network(twin.design_features(), 3), "features", "rgb", 1,
                 {"ends": "features"})
recipe["features.model"] = path("features.safetensors")
perceptual = twin.Perceptual(recipe).double()
perceptual.furthest_shift = 0
torch.set_default_dtype(torch.float64)
output = read("output.in", 1, 3, 48, 48).double().requires_grad_()
target = read("target.in", 1, 3, 48, 48).double()
for kind in ("l1", "charbonnier", "l2", "original-l1", "original-l2"):
    recipe["training.loss"] = kind
    perceptual.form = "direction" if kind == "charbonnier" else "energy"
    for term in ("pixel", "ssim", "ms-ssim", "fourier", "perceptual"):
        recipe[f"training.{term}-weight"] = "1" if (
            term == "pixel" or kind == "l2" or
            (term == "perceptual" and kind == "charbonnier")) else "0"
    loss = twin.criterion(recipe, "training", perceptual, output, target)
    gradient, = torch.autograd.grad(loss, output)
    write(f"{kind}.out", torch.cat([loss.reshape(1), gradient.flatten()]))
