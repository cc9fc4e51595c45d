#!/bin/bash
# Puts part of a picture, or of a film's first frame, side by side: by bicubic,
# by networks, and as it was.
#
#   crops.sh [--tools FOLDER] PICTURE WIDTHxHEIGHT+X+Y OUT.png [NETWORK...]
#
# Without networks: fast, high and detail of x4. The picture is reduced as
# srgan-eval does, to a quarter if the first network is of x4, and enlarged
# again; the part is shown twice as large, pixel by pixel. Needs srgan-eval and
# srgan-info (in --tools or PATH) and GStreamer's programs.
#
# SPDX-License-Identifier: MIT
set -euo pipefail

fail() {
  echo "crops.sh: $1" >&2
  exit "${2:-1}"
}

tools=
if [ "${1-}" = --tools ]; then
  tools=${2:?}/
  shift 2
fi
if [ $# -lt 3 ]; then
  sed -n '2,/^# SPDX/{/SPDX/!s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
picture=$1 part=$2 out=$3
shift 3
networks=("$@")
if [ ${#networks[@]} = 0 ]; then
  networks=(fast-clean-x4 high-clean-x4 high-detail-x4)
fi
[ -f "$picture" ] || fail "$picture: no such picture"
[[ $part =~ ^([0-9]+)x([0-9]+)\+([0-9]+)\+([0-9]+)$ ]] ||
  fail "'$part' is no WIDTHxHEIGHT+X+Y" 2
width=${BASH_REMATCH[1]} height=${BASH_REMATCH[2]}
x=${BASH_REMATCH[3]} y=${BASH_REMATCH[4]}
scale=$("${tools}srgan-info" --json "${networks[0]}" |
  sed -n '/"scale"/s/[^0-9]//gp') || fail "no network ${networks[0]}"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/original"
gst-launch-1.0 -q filesrc "location=$picture" ! decodebin ! videoconvert ! \
  video/x-raw,format=RGB ! pngenc snapshot=true ! \
  filesink "location=$folder/original/picture.png" ||
  fail "$picture cannot be read"

# enlarge NAME [OPTION...]: a PNG of the whole in $folder/NAME/
enlarge() {
  "${tools}srgan-eval" --hr "$folder/original" --save "$folder/$1" \
    --scale "$scale" --precision fp32 "${@:2}" >"$folder/scores" ||
    fail "${*: -1} cannot be shown"
}

# size FILE: sets columns and rows to those of a PNG.
size() {
  local bytes
  read -ra bytes < <(od -An -j16 -N8 -tu1 -w8 "$1")
  columns=$((bytes[2] << 8 | bytes[3]))
  rows=$((bytes[6] << 8 | bytes[7]))
}

enlarge bicubic
files=("$folder/bicubic/picture.png")
for i in "${!networks[@]}"; do
  enlarge "network$i" --model "${networks[i]}"
  files+=("$folder/network$i/picture.png")
done
files+=("$folder/original/picture.png")

# All go into one picture, with four pixels between them.
step=$((2 * width + 4)) pads=() chains=()
for i in "${!files[@]}"; do
  size "${files[i]}"
  if [ $((x + width)) -gt "$columns" ] || [ $((y + height)) -gt "$rows" ]; then
    fail "$part does not lie within the picture: ${columns}x$rows"
  fi
  pads+=("sink_$i::xpos=$((i * step))")
  chains+=(filesrc "location=${files[i]}" ! pngdec ! videoconvert ! \
    videocrop "left=$x" "top=$y" "right=$((columns - x - width))"
    "bottom=$((rows - y - height))" ! videoscale method=nearest-neighbour ! \
    "video/x-raw,width=$((2 * width)),height=$((2 * height))" ! "c.sink_$i")
done
gst-launch-1.0 -q compositor name=c background=white "${pads[@]}" ! \
  "video/x-raw,format=RGB,width=$((${#files[@]} * step - 4))" ! videoconvert ! \
  pngenc compression-level=9 snapshot=true ! filesink "location=$out" \
  "${chains[@]}" || fail "$out cannot be written"
