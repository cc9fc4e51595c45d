#!/bin/bash
# What `meson install` leaves: a tree from which an outside program is built
# and run (the README's), and whose plugin GStreamer finds.
#
# SPDX-License-Identifier: MIT
set -u
cd "${SRGAN_SOURCE_ROOT:-$(dirname "$0")/../..}" || exit 99
. tests/common/tap.sh

build=${SRGAN_BUILD_ROOT:-build}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
tree=$folder/tree

install_tree() {
  DESTDIR=$tree meson install -C "$build" --no-rebuild --quiet
}
check 'meson install' install_tree

# Where things went depends on prefix and libdir.
pc=$(find "$tree" -name srgan-core.pc | head -n 1)
library=$(dirname "$(find "$tree" -name 'libsrgan-core.so' | head -n 1)")
headers=$(dirname "$(find "$tree" -name srgan.h | head -n 1)")
programs=$(find "$tree" -type d -name bin | head -n 1)
plugins=$(find "$tree" -type d -name gstreamer-1.0 | head -n 1)
export PKG_CONFIG_PATH=${pc%/*} LD_LIBRARY_PATH=$library
export GST_REGISTRY=$folder/registry GST_PLUGIN_PATH=$plugins

flags() {
  pkg-config "$@" srgan-core
}

# The README's program: the first C block in it.
readme_program() {
  # shellcheck disable=SC2016
  sed -n '/^```c$/,/^```$/{/^```/!p}' README.md >"$folder/outside.c"
  # shellcheck disable=SC2046
  cc -std=gnu11 -Wall -Wextra -Werror "$folder/outside.c" \
    -o "$folder/outside" $(flags --cflags --libs) && "$folder/outside"
}

# Each public header by itself, and from C++.
headers_alone() {
  local header
  for header in "$headers"/*.h; do
    echo "#include <srgan/${header##*/}>" >"$folder/header.c"
    cp "$folder/header.c" "$folder/header.cc"
    # shellcheck disable=SC2046
    cc -std=c11 -Wall -Wextra -Werror -fsyntax-only "$folder/header.c" \
      $(flags --cflags) || return
    if command -v c++ >/dev/null; then
      # shellcheck disable=SC2046
      c++ -Wall -Wextra -Werror -fsyntax-only "$folder/header.cc" \
        $(flags --cflags) || return
    fi
  done
}

# The plugin is loaded into other people's processes: the library brings along
# GLib, json-glib, ORC and the C library, and no more.
light_library() {
  local needed
  needed=$(readelf -d "$library/libsrgan-core.so" |
    sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
  echo "$needed"
  [ -n "$needed" ] && ! grep -qvE \
    '^lib(glib|gobject|gio|json-glib|orc)-|^lib(c|m|pthread)\.so|^ld-linux' \
    <<<"$needed"
}

only_our_names() {
  local names
  names=$(nm -D --defined-only "$library/libsrgan-core.so" |
    awk '{ print $3 }' | sed 's/@.*//')
  [ -n "$names" ] && ! grep -v '^srgan_' <<<"$names"
}

# Each program explains itself and takes no unknown option.
programs_help() {
  local program status
  for program in "$programs"/*; do
    "$program" --help >"$folder/help" || return
    grep -q -i usage "$folder/help" || return
    "$program" --no-such-option >"$folder/help" 2>&1
    status=$?
    echo "$program: $status with an unknown option: $(cat "$folder/help")"
    [ $status != 0 ] && [ $status -lt 126 ] && [ -s "$folder/help" ] || return
  done
}

uninstall_tree() {
  ninja -C "$build" uninstall && [ -z "$(find "$tree" -type f -o -type l)" ]
}

check 'pkg-config knows the version' flags --modversion
check 'each public header compiles alone' headers_alone
check "the README's program is built and runs" readme_program
check 'the library needs only what it may' light_library
check 'the library exports only srgan_ names' only_our_names
if [ -n "$plugins" ]; then
  check 'gst-inspect-1.0 srganupscale' gst-inspect-1.0 srganupscale
else
  skip 'gst-inspect-1.0 srganupscale' 'built without the plugin'
fi
if [ -n "$programs" ]; then
  check 'the programs explain themselves' programs_help
else
  skip 'the programs explain themselves' 'built without the tools'
fi
check 'ninja uninstall leaves nothing' uninstall_tree
finish
