# For tests that are shell scripts: source it, then call check and finish.
#
# SPDX-License-Identifier: MIT
# shellcheck shell=bash

tap_count=0

# check NAME COMMAND...: a case that passes where the command succeeds; what
# it printed is shown where it does not.
check() {
  local name=$1 output
  shift
  tap_count=$((tap_count + 1))
  if output=$("$@" 2>&1); then
    echo "ok $tap_count $name"
  else
    echo "not ok $tap_count $name"
    printf '%s\n' "$output" | sed 's/^/# /'
  fi
}

# skip NAME WHY: a case that cannot be tried here.
skip() {
  tap_count=$((tap_count + 1))
  echo "ok $tap_count $1 # SKIP $2"
}

# finish: the plan; nothing may follow.
finish() {
  echo "1..$tap_count"
}
