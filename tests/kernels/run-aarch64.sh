#!/bin/sh
# Cross-compiles the kernels and their checks for AArch64 and runs them under
# qemu-user. There need be no GLib for AArch64: the kernels use its headers
# only, and those of any 64-bit Linux do (ORC's programs become plain C).
#
#   run-aarch64.sh PIXELS-ORC.C
#
# SPDX-License-Identifier: MIT
set -eu

for tool in aarch64-linux-gnu-gcc qemu-aarch64; do
  if ! command -v "$tool" >/dev/null; then
    echo "1..0 # SKIP $tool is not installed: NEON not checked"
    exit 0
  fi
done

generated=$(dirname "$(dirname "$1")")
core=$SRGAN_SOURCE_ROOT/srgan-core
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

compile () {
  # shellcheck disable=SC2046 # several flags
  aarch64-linux-gnu-gcc -std=gnu11 -D_GNU_SOURCE -O3 -Wall -Wextra -Werror \
    -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers \
    -fno-math-errno -fno-trapping-math -ffp-contract=off -DDISABLE_ORC \
    -I"$core" -I"$core/include" -I"$generated" \
    $(pkg-config --cflags-only-I glib-2.0) "$@" >&2
}

compile -march=armv8.2-a+dotprod -c "$core"/kernels/int8-dotprod.c \
  -o "$folder/int8-dotprod.o"
compile -static \
  "$SRGAN_SOURCE_ROOT"/tests/kernels/check.c \
  "$SRGAN_SOURCE_ROOT"/tests/kernels/check-int8.c \
  "$SRGAN_SOURCE_ROOT"/tests/kernels/check-maps.c \
  "$SRGAN_SOURCE_ROOT"/tests/kernels/check-alone.c \
  "$core"/kernels/kernels.c "$core"/kernels/kernels-c.c \
  "$core"/kernels/kernels-neon.c \
  "$core"/kernels/int8.c "$core"/kernels/int8-c.c \
  "$core"/kernels/int8-neon.c "$folder/int8-dotprod.o" \
  "$core"/base/memory.c "$1" -lm -o "$folder/check"

qemu-aarch64 "$folder/check"
