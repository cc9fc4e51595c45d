"""What compare-peers.sh runs.

SPDX-License-Identifier: MIT
"""

import argparse
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
FRAMES = {"g1": (960, 540), "g2": (480, 270), "g3": (480, 270),
          "g4": (480, 270)}
# Its one scale for all makes its output meaningless: only its time counts.
U8 = "oneDNN, u8"
# Of the output's range of 1.
LARGEST_DIFFERENCE = 1e-4


def find_peers(folder):
    """Commands by name; the model's place and what follows stay open."""
    peers, missing = {}, []
    modules = os.path.join(folder, "node", "node_modules")
    has_onnx = importlib.util.find_spec("onnx") is not None
    if has_onnx and shutil.which("node") and os.path.isdir(
            os.path.join(modules, "onnxruntime-node")):
        os.environ["NODE_PATH"] = modules
        peers["ONNX Runtime"] = (["node", HERE + "/run-onnxruntime.js"],
                                 ".onnx", [])
    else:
        missing.append("ONNX Runtime (npm install onnxruntime-node in "
                       f"{folder}/node; python3-onnx)")
    if os.path.exists(folder + "/run-onednn"):
        for algorithm in ("direct", "winograd", "u8"):
            peers["oneDNN, " + algorithm] = ([folder + "/run-onednn"], "",
                                             [algorithm])
    else:
        missing.append("oneDNN (libdnnl-dev, g++)")
    if importlib.util.find_spec("torch") is not None:
        peers["PyTorch"] = ([sys.executable, HERE + "/run-pytorch.py"],
                            ".safetensors", [])
    else:
        missing.append("PyTorch (python3-torch)")
    return peers, missing


class Runner:
    def __init__(self, arguments, network):
        self.arguments = arguments
        self.network = network
        self.width, self.height = FRAMES[network.split("-")[0]]
        self.stem = os.path.join(arguments.folder, network)
        self.input = f"{arguments.folder}/input-{self.width}x{self.height}.raw"

    def write(self):
        np.random.RandomState(1).rand(
            1, 3, self.height, self.width).astype("f4").tofile(self.input)
        subprocess.run([sys.executable, HERE + "/network.py",
                        self.stem + ".safetensors", str(self.width),
                        str(self.height), self.arguments.folder], check=True)

    def run(self, command):
        """Milliseconds and the output; None and what went wrong."""
        program, suffix, options = command
        output = os.path.join(self.arguments.folder, "output.raw")
        threads = str(self.arguments.threads)
        try:
            done = subprocess.run(
                program
                + [self.stem + suffix, f"{self.width}x{self.height}",
                   self.input, output, threads, str(self.arguments.runs)]
                + options, capture_output=True, text=True,
                timeout=self.arguments.limit,
                env={**os.environ, "OMP_NUM_THREADS": threads})
        except subprocess.TimeoutExpired:
            return None, f"not done after {self.arguments.limit} s (--limit)"
        if done.returncode != 0:
            return None, (done.stderr.strip() or str(done.returncode))[-300:]
        times = json.loads(done.stdout.strip().splitlines()[-1])["times"]
        return statistics.median(times), np.fromfile(output, "f4")


def compare(runner, commands):
    """Rounds of all in turns, the first of @commands being what the others are
    compared with. Returns whether all outputs agree."""
    names = list(commands)
    times = {name: [] for name in names}
    worst = dict.fromkeys(names, 0)
    for _ in range(runner.arguments.rounds):
        reference = None
        for name in list(names):
            time, output = runner.run(commands[name])
            if time is None:
                print(f"{runner.network}: {name} failed: {output}",
                      file=sys.stderr)
                names.remove(name)
                if reference is None:
                    return False
                continue
            times[name].append(time)
            if reference is None:
                reference = output
            elif name in runner.arguments.not_compared:
                worst[name] = float("nan")
            elif output.size != reference.size:
                worst[name] = float("inf")
            else:
                worst[name] = max(worst[name],
                                  float(np.abs(output - reference).max()))
    print(f"\n{runner.network}, {runner.width}x{runner.height}, "
          f"{runner.arguments.threads} threads, medians of "
          f"{runner.arguments.rounds} rounds")
    for name in names:
        ratio = statistics.median(
            peer / ours for peer, ours in zip(times[name], times[names[0]]))
        print(f"  {name:18} {statistics.median(times[name]):9.1f} ms"
              f"  {ratio:6.2f} x  apart {worst[name]:.2g}")
    return all(worst[name] <= runner.arguments.tolerance for name in names
               if name not in runner.arguments.not_compared)


def main():
    parser = argparse.ArgumentParser(prog="compare-peers.sh")
    parser.add_argument("--folder", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--ours", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--limit", type=int, default=600)
    parser.add_argument("--int8", action="store_true")
    parser.add_argument("networks", nargs="*", metavar="network")
    arguments = parser.parse_args()
    for name in arguments.networks:
        if name not in FRAMES:
            parser.error(f"'{name}' is none of {', '.join(FRAMES)}")

    subprocess.run([arguments.ours, "--write", arguments.folder], check=True,
                   stdout=subprocess.DEVNULL)
    peers, missing = find_peers(arguments.folder)
    for name in missing:
        print("not here: " + name, file=sys.stderr)
    arguments.not_compared = {U8}
    eight_bits = {name: peers.pop(name) for name in (U8,) if name in peers}
    agree = True
    for name in arguments.networks or FRAMES:
        runner = Runner(arguments, name + ("-leaky" if arguments.int8 else ""))
        runner.write()
        ours = ([arguments.ours], ".safetensors", ["fp32"])
        if arguments.int8:
            # 8 bits are told apart from fp32 by what they lose, which belongs
            # to calibrated networks; here only nonsense is to be noticed.
            arguments.tolerance = .25
            commands = {"ours, int8": (ours[0], ours[1], ["int8"]),
                        "ours, fp32": ours, **eight_bits}
        else:
            arguments.tolerance = LARGEST_DIFFERENCE
            commands = {"ours": ours, **peers}
        agree = compare(runner, commands) and agree
    if not agree:
        sys.exit("compare-peers.sh: outputs do not agree")


if __name__ == "__main__":
    main()
