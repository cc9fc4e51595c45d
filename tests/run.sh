#!/bin/bash
# Builds everything with warnings as errors and runs the tests.
#
#   tests/run.sh [--all] [SUITE...]
#
# Without SUITE: all of meson's suites. Short runs under AddressSanitizer and
# UBSan, ThreadSanitizer, valgrind and qemu-aarch64 belong to it; --all makes
# these long (every suite under the first, and tests in their thorough mode).
# Missing Debian packages are installed (pipelines/install-packages.sh).
#
# It builds in build-tests/, one folder a compiler and sanitizer, keeps logs
# (text, JUnit) in build-tests/logs/, and closes with 'N passed, N failed'.
#
# SPDX-License-Identifier: MIT
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

all=
suites=()
for argument in "$@"; do
  case $argument in
    --all) all=1 ;;
    -h | --help)
      sed -n '2,/^# SPDX/{/SPDX/!s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    -*)
      echo "tests/run.sh: no option $argument; see --help" >&2
      exit 2
      ;;
    *) suites+=("$argument") ;;
  esac
done

pipelines/install-packages.sh || exit 1

root="build-tests"
logs=$root/logs
mkdir -p "$logs"
passed=0 failed=0 skipped=0
table=()
began=$SECONDS
thorough=()
if [ -n "$all" ]; then
  thorough=(--test-args='-m thorough')
fi

# What the tests may rely on, wherever they are run from.
export LC_ALL=C.UTF-8 G_SLICE=always-malloc
export ASAN_OPTIONS=${ASAN_OPTIONS-detect_stack_use_after_return=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS-halt_on_error=1:print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS-halt_on_error=1}
unset SRGAN_CPU

# count NAME PASSED FAILED SKIPPED: enters one run into the balance, and the
# time since the one before.
count() {
  passed=$((passed + $2))
  failed=$((failed + $3))
  skipped=$((skipped + $4))
  table+=("$(printf '%-12s %5d passed %5d failed %5d skipped %5d s' \
    "$@" $((SECONDS - began)))")
  began=$SECONDS
}

# build NAME [MESON_OPTION...]: configures and compiles build-tests/NAME.
build() {
  local name=$1
  shift
  echo
  echo "=== $name: building in $root/$name"
  if [ ! -f "$root/$name/build.ninja" ]; then
    rm -rf "${root:?}/$name"
    meson setup "$root/$name" -Dwerror=true "$@" >"$logs/$name-setup.txt" 2>&1
  fi && ninja -C "$root/$name" >"$logs/$name-build.txt" 2>&1 && return
  tail -n 40 "$logs/$name-setup.txt" "$logs/$name-build.txt" 2>/dev/null
  echo "=== $name: does not build"
  count "$name" 0 1 0
  return 1
}

# suites_of BUILD: the suites that exist there, one a line.
suites_of() {
  meson introspect "$root/$1" --tests |
    python3 -c 'import json, sys
print(*sorted({s.split(":")[-1] for t in json.load(sys.stdin)
               for s in t["suite"]}), sep="\n")'
}

# run NAME BUILD "SUITE..." [MESON_TEST_OPTION...]: runs those of the suites
# that exist and were asked for ("all": every one).
run() {
  local name=$1 build=$2 wanted=$3 suite chosen=()
  shift 3
  for suite in $(suites_of "$build"); do
    if [[ $wanted = all || " $wanted " = *" $suite "* ]] &&
      [[ ${#suites[@]} = 0 || " ${suites[*]} " = *" $suite "* ]]; then
      chosen+=(--suite "$suite")
    fi
  done
  if [ ${#chosen[@]} = 0 ]; then
    return
  fi
  echo
  echo "=== $name: ${chosen[*]//--suite/}"
  # meson adds the wrapper's name to the log's.
  rm -f "$root/$build/meson-logs/$name".* "$root/$build/meson-logs/$name"-*
  meson test -C "$root/$build" --no-rebuild --print-errorlogs \
    --logbase "$name" "${chosen[@]}" ${thorough[@]+"${thorough[@]}"} "$@"
  local numbers log
  log=$(echo "$root/$build/meson-logs/$name"*.json)
  if numbers=$(python3 tests/common/summary.py "$log"); then
    # shellcheck disable=SC2086 # three numbers
    count "$name" $numbers
  else
    count "$name" 0 1 0
  fi
  cp "${log%.json}.txt" "$logs/$name.txt"
  cp "${log%.json}.junit.xml" "$logs/$name.junit.xml"
}

if build plain; then
  for suite in ${suites[@]+"${suites[@]}"}; do
    if ! suites_of plain | grep -qxF -e "$suite"; then
      echo "tests/run.sh: no suite '$suite'; there are:" \
        "$(suites_of plain | xargs)" >&2
      exit 2
    fi
  done
  run plain plain all
  # These cases, and all of the other tests of the engine, take minutes under
  # valgrind: the sanitizers see them.
  short=()
  if [ -z "$all" ]; then
    short=(engine engine-int8
      --test-args='-s /engine/chains -s /engine/tiles')
  fi
  run valgrind plain engine -t 10 --wrapper "valgrind -q --error-exitcode=99 \
    --leak-check=full --errors-for-leak-kinds=definite \
    --suppressions=/usr/share/glib-2.0/valgrind/glib.supp" \
    ${short[@]+"${short[@]}"}
fi

# The second compiler's warnings, which it finds without optimising.
if [ ${#suites[@]} = 0 ] && CC=clang build clang -Dbuildtype=debug; then
  count clang-build 1 0 0
fi

# Of the tools and what stands on them, only --all runs tests here.
few=()
if [ -z "$all" ]; then
  few=(-Dtools=disabled)
fi
if build asan -Db_sanitize=address,undefined -Db_lundef=false \
  ${few[@]+"${few[@]}"}; then
  if [ -n "$all" ]; then
    run asan asan all -t 5
  else
    run asan asan 'base kernels network engine train convert element' -t 5
  fi
fi

# base and engine synchronise with pthreads and C11 atomics: no suppressions. The
# element uses GStreamer's locks: see tests/element/tsan-glib.c.
if build tsan -Db_sanitize=thread -Db_lundef=false -Dtrain=disabled \
  -Dconvert=disabled -Dtools=disabled -Dexamples=disabled; then
  run tsan tsan 'base element' -t 10
  # What sets these cases apart is arithmetic, not who waits for whom.
  short=()
  if [ -z "$all" ]; then
    short=(--test-args='-s /engine/operations/activations
      -s /engine/operations/maps -s /engine/operations/convolutions
      -s /engine/operations/paddings -s /engine/operations/large-kernels
      -s /engine/operations/transposed -s /reuse/formats')
  fi
  run tsan-engine tsan engine -t 20 ${short[@]+"${short[@]}"}
fi

echo
printf '%s\n' "${table[@]}"
echo "Logs (text and JUnit): $PWD/$logs"
if [ $((passed + failed)) = 0 ]; then
  echo "No test ran."
  failed=1
fi
if [ "$skipped" = 0 ]; then
  echo "$passed passed, $failed failed"
else
  echo "$passed passed, $failed failed, $skipped skipped"
fi
[ "$failed" = 0 ]
