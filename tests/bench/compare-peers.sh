#!/bin/bash
# Our engine and the ones people would otherwise use, on the same networks,
# weights and input, in turns; prints medians of the rounds' ratios and how far
# the outputs lie apart. Run it on a quiet machine.
#
#   compare-peers.sh [--install] [--build FOLDER] [--threads N] [--rounds N]
#                    [--runs N] [--limit S] [--int8] [g1] [g2] [g3] [g4]
#
# Peers: ONNX Runtime (npm's onnxruntime-node), oneDNN (libdnnl-dev), PyTorch
# (python3-torch); those that are missing are named. --install gets them from
# Debian and npm first. --int8: the leaky twins of the networks, calibrated on
# noise, ours in int8 against ours in fp32 and oneDNN's 8-bit convolutions (of
# which only the time is compared). --limit: seconds that one program may take
# (600): one that needs more is left out. What is made and kept lies in
# $SRGAN_BENCH (by default ~/.cache/srgan-bench).
#
# SPDX-License-Identifier: MIT
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
folder=${SRGAN_BENCH:-${XDG_CACHE_HOME:-$HOME/.cache}/srgan-bench}
build=${SRGAN_BUILD_ROOT:-$here/../../build}
python=/usr/bin/python3
arguments=()

while [ $# -gt 0 ]; do
  case $1 in
    --install)
      apt-get install -y --no-install-recommends python3-numpy python3-onnx \
        python3-torch libdnnl-dev g++ nodejs npm
      mkdir -p "$folder/node"
      (cd "$folder/node" && npm install --silent --ignore-scripts \
        onnxruntime-node)
      ;;
    --build)
      build=$2
      shift
      ;;
    -h | --help)
      sed -n '2,/^# SPDX/{/SPDX/!s/^# \{0,1\}//p}' "$0"
      exit 0
      ;;
    *) arguments+=("$1") ;;
  esac
  shift
done

if [ ! -x "$build/tests/bench/run-srgan" ]; then
  echo "compare-peers.sh: no tests/bench/run-srgan in $build: build the" \
    "project there, or give its folder with --build" >&2
  exit 1
fi
mkdir -p "$folder"
if [ "$here/run-onednn.cpp" -nt "$folder/run-onednn" ]; then
  if ! g++ -O2 -fopenmp "$here/run-onednn.cpp" -o "$folder/run-onednn" \
    -ldnnl 2>"$folder/run-onednn.log"; then
    rm -f "$folder/run-onednn"
  fi
fi
exec "$python" "$here/compare-peers.py" --folder "$folder" \
  --ours "$build/tests/bench/run-srgan" "${arguments[@]}"
