#!/usr/bin/env python3
"""Measures the built-in networks; writes the tables of README.md and ../../README.md.

    table.py [OPTION...] TEST      measures all; TEST holds Set5, Set14, LineArt
    table.py --check               only says whether a table lacks a network

    --tools FOLDER    where srgan-eval and srgan-info are, else in PATH
    --features FILE   the feature network that measures perceptual distances; it
                      is named in the table (srgan-convert --features makes one)

What stands between the marks of each file is written anew. All is computed in
fp32 but for the tables of int8.
SPDX-License-Identifier: MIT
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TABLES = HERE / "README.md"
FRONT = HERE.parent.parent / "README.md"
PRESETS = "nano fast medium high ultra srgan".split()
TUNES = "clean video animation detail".split()


class Tools:
    def __init__(self, folder):
        self.folder = folder

    def run(self, tool, *arguments):
        path = str(self.folder / tool) if self.folder else shutil.which(tool)
        if path is None:
            sys.exit(f"table.py: no {tool} in PATH: see --tools")
        made = subprocess.run([path, "--json", *arguments],
                              stdout=subprocess.PIPE, check=False)
        if made.returncode != 0:
            sys.exit(f"table.py: {tool} {' '.join(arguments)} failed")
        return json.loads(made.stdout)


def split_name(name):
    preset, tune, scale = name.rsplit("-", 2)
    return preset, tune, int(scale[1:])


def order(name):
    preset, tune, scale = split_name(name)
    return scale, TUNES.index(tune), PRESETS.index(preset)


def show_progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


class Measure:
    """Scores, each measured once."""

    def __init__(self, tools, test, features):
        self.tools, self.test, self.features = tools, test, features
        self.known = {}

    def __call__(self, name, folder, precision="fp32"):
        key = name, folder, precision
        if key not in self.known:
            show_progress(f"{name}, {folder}, {precision}")
            more = ["--model", name]
            if name.startswith("bicubic"):
                more = ["--scale", name[-1]]
            if self.features and precision == "fp32" and folder == "Set14":
                more += ["--features", str(self.features)]
            answer = self.tools.run("srgan-eval", "--hr",
                                    str(self.test / folder), "--precision",
                                    precision, *more)["mean"]
            self.known[key] = answer.get("network", answer["bicubic"])
        return self.known[key]


def format_score(score):
    return "{:.2f} / {}".format(score["psnr"],
                                "{:.4f}".format(score["ssim"]).lstrip("0"))


def make_row(cells):
    return "| " + " | ".join(cells) + " |"


def make_table(heads, rows):
    marks = ["---"] + [head[0] for head in heads[1:]]
    titles = [heads[0]] + [head[1:] for head in heads[1:]]
    lines = [make_row(titles),
             "|" + "|".join({">": "--:", "<": "---"}.get(m, m)
                            for m in marks) + "|"]
    return "\n".join(lines + [make_row(row) for row in rows])


def get_bicubic(name):
    return f"bicubic-x{split_name(name)[2]}"


def get_start(network):
    """In words: what the training began from, where that is another."""
    for line in network["notes"].get("recipe", "").split("\n"):
        if line.startswith("start="):
            start = line.partition("=")[2]
            if start and start != network["name"]:
                return f" (begins from {start})"
    return ""


def make_networks(networks, measure):
    heads = ["name", "<recipe", ">multiply-adds a pixel", ">Set5", ">Set14"]
    if measure.features:
        heads.append(">distance, Set14")
    rows = []

    def add(name, recipe, cost):
        scores = [measure(name, folder) for folder in ("Set5", "Set14")]
        title = name
        if name.startswith("bicubic"):
            title = f"*{name.replace('-', ' ')}*"
        row = [title, recipe, cost, *map(format_score, scores)]
        if measure.features:
            row.append("{:.3f}".format(scores[1]["perceptual-distance"]))
        rows.append(row)

    names = sorted(networks, key=order)
    for i, name in enumerate(names):
        network = networks[name]
        add(name, f"`recipes/{name}.conf`{get_start(network)}",
            "{:,.0f}".format(network["multiply_adds_per_pixel"]))
        bicubic = get_bicubic(name)
        if i + 1 == len(names) or get_bicubic(names[i + 1]) != bicubic:
            add(bicubic, "", "")
    return make_table(heads, rows)


def make_int8(networks, measure):
    rows = []
    for name in sorted(networks, key=order):
        loss = networks[name]["notes"].get("int8-loss")
        if networks[name]["precision"] != "int8" or loss is None:
            continue
        row = [f"`{name}`"]
        for folder in ("Set5", "Set14"):
            row.append("{:+.3f}".format(
                measure(name, folder, "int8")["psnr"]
                - measure(name, folder)["psnr"]))
        row.append("{:+.3f}".format(-float(loss.split()[0])))
        rows.append(row)
    return make_table(["name", ">Set5", ">Set14", ">held back"], rows)


def make_drawings(networks, measure):
    rows, named = [], []
    for name in sorted(networks, key=order):
        preset, tune, scale = split_name(name)
        if tune != "animation":
            continue
        for other in name, f"{preset}-clean-x{scale}", get_bicubic(name):
            if other not in named and (other in networks
                                       or other.startswith("bicubic")):
                named.append(other)
                rows.append([f"`{other}`",
                             format_score(measure(other, "LineArt"))])
    return make_table(["name", ">LineArt"], rows)


def make_front(networks, measure):
    rows = []
    for name in sorted(networks, key=order):
        row = [name]
        for folder in ("Set5", "Set14"):
            row += [format_score(measure(name, folder)),
                    format_score(measure(get_bicubic(name), folder))]
        rows.append(row)
    return make_table(["network", ">Set5", ">bicubic", ">Set14", ">bicubic"],
                      rows)


PARTS = {
    "networks": (TABLES, make_networks),
    "int8": (TABLES, make_int8),
    "drawings": (TABLES, make_drawings),
    "scores": (FRONT, make_front),
}


def find_part(text, name, path):
    first, last = f"<!-- table.py: {name} -->\n", f"\n<!-- {name} ends -->"
    begin, end = text.find(first), text.find(last)
    if begin < 0 or end < begin:
        sys.exit(f"table.py: {path}: no '{first.strip()}' or its end")
    return begin + len(first), end


def check(networks):
    """Every built-in has its row, and every row its built-in."""
    wrong = 0
    for name in "networks", "scores":
        path = PARTS[name][0]
        text = path.read_text()
        begin, end = find_part(text, name, path)
        rows = [line.split("|")[1].strip()
                for line in text[begin:end].split("\n")[2:]]
        rows = [row for row in rows if not row.startswith("*")]
        for row in set(rows) ^ set(networks):
            print(f"{path.relative_to(FRONT.parent)}: {row}: "
                  + ("is not built in" if row in rows else "has no row"))
            wrong = 1
    return wrong


def get_networks():
    """The built-ins' names, from the list of what is embedded."""
    text = (HERE / "models.gresource.xml").read_text()
    return [part.split("<")[0].partition(".safetensors")[0]
            for part in text.split("<file>")[1:]]


def main():
    parser = argparse.ArgumentParser(
        usage="%(prog)s [OPTION...] TEST", description=__doc__.split("\n")[0])
    parser.add_argument("test", nargs="?", type=pathlib.Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--tools", type=pathlib.Path)
    parser.add_argument("--features", type=pathlib.Path)
    options = parser.parse_args()
    if options.check:
        sys.exit(check(get_networks()))
    if options.test is None:
        parser.error("name the folder of Set5, Set14 and LineArt")

    tools = Tools(options.tools)
    networks = {network["name"]: network
                for network in tools.run("srgan-info")["networks"]}
    measure = Measure(tools, options.test, options.features)
    made = {name: make(networks, measure)
            for name, (_, make) in PARTS.items()}
    for name, (path, _) in PARTS.items():
        text = path.read_text()
        begin, end = find_part(text, name, path)
        path.write_text(text[:begin] + made[name] + text[end:])
    show_progress("")


main()
