#!/bin/bash
# The one list of the Debian 12 packages that this project needs, and what
# installs those of them that are missing: without a question, and without
# touching apt when nothing is.
#
#   pipelines/install-packages.sh [build] [run] [test]
#
# Without an argument: all three. `--list` before them only prints the names.
# SRGAN_NO_INSTALL=1 installs nothing, for machines that have these things
# from elsewhere.
#
# SPDX-License-Identifier: MIT
set -euo pipefail

# To compile the library, the plugin and the tools.
build_packages=(
  gcc libc6-dev meson ninja-build pkg-config
  libglib2.0-dev libjson-glib-dev liborc-0.4-dev
  libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev
  libopenblas-pthread-dev libgdk-pixbuf-2.0-dev libopenmpi-dev
  libzip-dev liblzma-dev libprotobuf-c-dev protobuf-c-compiler libhdf5-dev
)

# To decode, upscale and encode what people have; webp pictures for the tools.
run_packages=(
  gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good
  gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav
  webp-pixbuf-loader
)

# To check all of it: a second compiler, formatting, valgrind, and the
# AArch64 kernels cross built and run under qemu.
test_packages=(
  clang clang-format shellcheck g++ valgrind libc6-dbg
  gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user python3-numpy
  openmpi-bin
)

list=
if [ "${1-}" = --list ]; then
  list=1
  shift
fi
if [ $# = 0 ]; then
  set -- build run test
fi

packages=()
for group in "$@"; do
  case $group in
    build) packages+=("${build_packages[@]}") ;;
    run) packages+=("${run_packages[@]}") ;;
    test) packages+=("${test_packages[@]}") ;;
    *)
      echo "install-packages.sh: '$group' is none of: build run test" >&2
      exit 2
      ;;
  esac
done

if [ -n "$list" ]; then
  printf '%s\n' "${packages[@]}"
  exit 0
fi
if [ -n "${SRGAN_NO_INSTALL-}" ]; then
  exit 0
fi
if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  echo "install-packages.sh: no apt here; going on with what there is. On" \
    "Debian 12 these would be needed: ${packages[*]}" >&2
  exit 0
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || :)
  if [ "$status" != installed ]; then
    missing+=("$package")
  fi
done
if [ ${#missing[@]} = 0 ]; then
  exit 0
fi

as_root=()
if [ "$(id -u)" != 0 ]; then
  # -n: rather fail with the command below than stop at a password prompt
  # where nobody sits.
  if [ -t 0 ] && command -v sudo >/dev/null; then
    as_root=(sudo)
  elif sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
  else
    cat >&2 <<END
install-packages.sh: ${#missing[@]} packages are missing, and installing them
takes root (you are $(id -un), and sudo does not help). Have someone run

  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}

and start this again; or set SRGAN_NO_INSTALL=1 if you have them from elsewhere.
END
    exit 1
  fi
fi

echo "Installing ${#missing[@]} missing packages: ${missing[*]}"
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -o DPkg::Lock::Timeout=300 "$@" </dev/null
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt update &&
  apt install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "install-packages.sh: apt-get could not install them; its last words" \
    "are above" >&2
  exit 1
fi
