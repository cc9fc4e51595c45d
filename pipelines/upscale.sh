#!/bin/bash
# Upscales a photograph or a film. See --help.
#
# SPDX-License-Identifier: MIT
set -euo pipefail

usage() {
  cat <<'END'
Usage: pipelines/upscale.sh [OPTION...] [IN [OUT]]

Upscales the photograph or film IN into OUT, audio and all. Without OUT, the
result goes to results/; without IN, a demo clip is upscaled, and a picture
before/after made. Installs what is missing (Debian 12 packages, through
pipelines/install-packages.sh) and builds in build/ where that was not done.

OUT ends in mp4, m4v, mov or mkv for a film, in png, jpg or jpeg for a picture.

  --scale N            how many times larger, 1 to 4 (2)
  --preset NAME        how much work: nano fast medium high ultra srgan (fast)
  --tune NAME          what for: clean video animation detail (clean)
  --model MODEL        a model file or a built-in's name instead
  --threads N          threads for the network (as many as there are CPUs)
  --crf N              film: H.264 quality, 0 (lossless) to 51 (18)
  --x264-preset NAME   film: how much work x264 does (veryfast)
  --jpeg-quality N     picture: 1 to 100 (95)
  --before-after FILE  write a PNG of the middle frame too, before and after
  --region WxH+X+Y     the part of the frame that it shows
END
}

fail() {
  echo "upscale.sh: $*" >&2
  exit 2
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build

# Only to tell options from files: the program checks what they say.
options=()
files=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --)
      shift
      files+=("$@")
      break
      ;;
    --*=*) options+=("$1") ;;
    --*)
      [ $# -gt 1 ] || fail "$1 wants a value; see --help"
      options+=("$1=$2")
      shift
      ;;
    -?*) fail "no option $1; see --help" ;;
    *) files+=("$1") ;;
  esac
  shift
done
[ ${#files[@]} -le 2 ] || fail "more than IN and OUT: ${files[*]}"
if [ ${#files[@]} -gt 0 ] && [ ! -e "${files[0]}" ]; then
  fail "cannot read '${files[0]}': there is no such file"
fi

# 1. What is missing.
"$root"/pipelines/install-packages.sh build run

# 2. The build: once, and again where sources changed.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
compile() {
  if [ ! -f "$build/build.ninja" ]; then
    rm -rf "$build"
    # The tests have builds of their own (tests/run.sh).
    meson setup --buildtype=release -Dtests=disabled "$build" "$root" ||
      return 1
  fi
  ninja -C "$build"
}
if [ ! -x "$build/pipelines/srgan-upscale" ]; then
  echo "Building in $build: once, a minute or so"
fi
if ! compile >"$log" 2>&1 </dev/null; then
  tail -n 40 "$log" >&2
  fail "the build failed; its last words are above"
fi
rm -f "$log"

# 3. The pipeline.
if [ ${#files[@]} = 0 ]; then
  files=("$root/pipelines/demo/flower.mp4")
  mkdir -p "$root/results"
  options=(
    "--before-after=$root/results/flower-before-after.png"
    --region=128x128+174+66
    ${options[@]+"${options[@]}"}
  )
fi
if [ ${#files[@]} = 1 ]; then
  mkdir -p "$root/results"
  files+=("$root/results")
fi
export GST_PLUGIN_PATH=$build/gst${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}
exec "$build/pipelines/srgan-upscale" ${options[@]+"${options[@]}"} \
  -- "${files[@]}"
