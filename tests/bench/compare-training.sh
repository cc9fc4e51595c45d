#!/bin/bash
# srgan-train and PyTorch on the same networks, batch, patch, loss, optimizer
# (Adam) and threads, in turns; prints steps a second of each, medians of the
# rounds, and the median of the rounds' ratios. Run it on a quiet machine.
#
#   compare-training.sh [--build FOLDER] [--data FOLDER] [--threads N]
#                       [--rounds N] [--precision fp32|bf16]
#                       [fast] [high] [ultra] [srresnet]
#
# srgan-train prepares its patches meanwhile, from pictures in FOLDER;
# PyTorch's (python3-torch) lie ready in memory. It runs both of its memory
# layouts, and the faster counts; in bf16, its autocast, and that in fp32 too,
# should it be faster. Validation and start are left out of both.
#
# SPDX-License-Identifier: MIT
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=${SRGAN_BUILD_ROOT:-$here/../../build}
data=${SRGAN_SHARED:-$here/../../../shared}/train/photo
threads=2
rounds=5
precision=fp32
networks=()

while [ $# -gt 0 ]; do
  case $1 in
    --build | --data | --threads | --rounds | --precision)
      declare "${1#--}=$2"
      shift
      ;;
    -h | --help)
      sed -n '2,/^# SPDX/{/SPDX/!s/^# \{0,1\}//p}' "$0"
      exit 0
      ;;
    fast | high | ultra | srresnet) networks+=("$1") ;;
    *)
      echo "compare-training.sh: what is '$1'? See --help" >&2
      exit 2
      ;;
  esac
  shift
done
[ ${#networks[@]} -gt 0 ] || networks=(fast high srresnet)

train=$build/srgan-core/tools/srgan-train
if [ ! -x "$train" ]; then
  echo "compare-training.sh: no srgan-train in $build: build the project" \
    "there, or give its folder with --build" >&2
  exit 1
fi
if [ ! -d "$data" ]; then
  echo "compare-training.sh: no pictures in $data: name a folder of some" \
    "with --data" >&2
  exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/pictures"
find "$(cd "$data" && pwd)" -type f | sort >"$work/all"
head -n 48 "$work/all" |
  while read -r picture; do ln -s "$picture" "$work/pictures/"; done

# write_recipe NAME: NAME.conf in the work folder, as the ladder has it.
write_recipe() {
  case $1 in
    fast) printf '[network]\nscale=2\nchannels=16\nlayers=4\n' ;;
    high) printf '[network]\nscale=2\nchannels=32\nlayers=10\n' ;;
    ultra) printf '[network]\nscale=2\nchannels=64\nlayers=16\n' ;;
    srresnet)
      printf '[network]\ndesign=srresnet\nscale=4\nchannels=64\nlayers=16\n'
      printf 'colour=rgb\nskip=none\n[data]\npatch=24\n'
      ;;
  esac >"$work/$1.conf"
  printf '[training]\nbatch=16\noptimizer=adam\n' >>"$work/$1.conf"
}

# run_ours NAME STEPS: steps a second.
run_ours() {
  rm -rf "$work/log" "$work/out.safetensors" "$work/out.safetensors.ckpt"
  "$train" "$work/$1.conf" -q --data "$work/pictures" -t "$threads" \
    -s training.precision="$precision" \
    -o "$work/out.safetensors" --log-dir "$work/log" -n $(($2 + 1)) \
    -s output.log-interval="$2" -s data.validation-pictures=1 \
    -s output.validation-interval=100000000
  sed -n '1s/.*"images-per-second": \([0-9.e+]*\).*/\1/p' \
    "$work/log/log.jsonl" | awk '{ print $1 / 16 }'
}

median() {
  sort -g | awk '{ x[NR] = $1 } END { print x[int((NR + 1) / 2)] }'
}

printf '%-10s %10s %10s %8s\n' network srgan-train PyTorch ratio
for name in "${networks[@]}"; do
  write_recipe "$name"
  case $name in fast) steps=40 ;; high) steps=8 ;; *) steps=3 ;; esac
  [ "$precision" = fp32 ] && precisions=fp32 || precisions="fp32 $precision"
  for ((round = 0; round < rounds; round++)); do
    ours=$(run_ours "$name" "$steps")
    theirs=$(for layout in contiguous channels-last; do
      for their_precision in $precisions; do
        /usr/bin/python3 "$here/train-pytorch.py" "$work/$name.conf" \
          "$threads" "$steps" "$layout" "$their_precision"
      done
    done | sort -g | tail -n 1)
    echo "$ours $theirs $(awk "BEGIN { print $ours / $theirs }")"
  done >"$work/rounds"
  printf '%-10s %10.3f %10.3f %8.2f\n' "$name" \
    "$(cut -d ' ' -f 1 "$work/rounds" | median)" \
    "$(cut -d ' ' -f 2 "$work/rounds" | median)" \
    "$(cut -d ' ' -f 3 "$work/rounds" | median)"
done
