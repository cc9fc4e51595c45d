#!/bin/bash
# What srganupscale takes beyond the bare engine: the same frames through both,
# in turns in one process.
#
#   element-overhead.sh [--build FOLDER] [--size WxH] [--threads N]
#                       [--rounds N] [--frames N]
#
# SPDX-License-Identifier: MIT
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=${SRGAN_BUILD_ROOT:-$here/../../build}
size=960x540 threads=2 rounds=11 frames=10

while [ $# -gt 0 ]; do
  case $1 in
    --build) build=$2 ;;
    --size) size=$2 ;;
    --threads) threads=$2 ;;
    --rounds) rounds=$2 ;;
    --frames) frames=$2 ;;
    -h | --help)
      sed -n '2,/^# SPDX/{/SPDX/!s/^# \{0,1\}//p}' "$0"
      exit 0
      ;;
    *)
      echo "element-overhead.sh: what is $1? See --help" >&2
      exit 2
      ;;
  esac
  shift 2
done

if [ ! -x "$build/tests/bench/element-overhead" ]; then
  echo "element-overhead.sh: no tests/bench/element-overhead in $build: build" \
    "the project there, or give its folder with --build" >&2
  exit 1
fi
registry=$(mktemp)
trap 'rm -f "$registry"' EXIT
GST_PLUGIN_PATH=$build/gst GST_PLUGIN_SYSTEM_PATH='' GST_REGISTRY=$registry \
  GST_REGISTRY_FORK=no "$build/tests/bench/element-overhead" "$size" \
  "$threads" "$rounds" "$frames"
