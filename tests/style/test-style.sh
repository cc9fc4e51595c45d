#!/bin/bash
# The house's rules, as far as a program can see them.
#
# SPDX-License-Identifier: MIT
set -u
cd "${SRGAN_SOURCE_ROOT:-$(dirname "$0")/../..}" || exit 99
. tests/common/tap.sh

# files PATTERN...: the tree's own files; an archive without .git has only
# these, but for build folders.
files() {
  if git rev-parse --git-dir >/dev/null 2>&1; then
    git ls-files -co --exclude-standard -- "$@"
  else
    local pattern
    for pattern in "$@"; do
      find . -path './build*' -prune -o -path ./results -prune -o \
        -type f -name "$pattern" -print
    done
  fi
}

mapfile -t c_files < <(files '*.c' '*.h')
mapfile -t scripts < <(files '*.sh' run)
mapfile -t texts < <(files '*.c' '*.h' '*.sh' '*.py' '*.md' '*.xml' '*.txt' \
  '*meson.build' '*meson_options.txt' '*.conf' run)

all_formatted() {
  clang-format --dry-run -Werror "${c_files[@]}"
}

all_parse() {
  local script failed=0
  for script in "${scripts[@]}"; do
    bash -n "$script" || failed=1
  done
  return $failed
}

# lacking PATTERN FILE...: fails and lists the files without a match.
lacking() {
  local found
  found=$(grep -L -e "$@")
  [ -z "$found" ] || { echo "$found" && false; }
}

# having PATTERN FILE...: fails and shows the matches.
having() {
  ! grep -n -E "$@"
}

# The scores in README.md are those beside the weights.
scores_agree() {
  local name set5 set14 failed=0
  while IFS='|' read -r _ name _ _ set5 set14 _; do
    if ! grep -F "|$name|$set5|" README.md | grep -qF "|$set14|"; then
      echo "README.md says otherwise: $name $set5 $set14"
      failed=1
    fi
  done < <(grep -E '^\| [a-z]+-[a-z]+-x[1-4] ' srgan-core/models/README.md)
  return $failed
}

if command -v clang-format >/dev/null; then
  check 'clang-format' all_formatted
else
  skip 'clang-format' 'no clang-format here'
fi
check 'scripts parse' all_parse
if command -v shellcheck >/dev/null; then
  check 'shellcheck' shellcheck -x -e SC1091 "${scripts[@]}"
else
  skip 'shellcheck' 'no shellcheck here'
fi
check 'every source names its licence' lacking 'SPDX-License-Identifier: MIT' \
  "${c_files[@]}" "${scripts[@]}"
# The words are split so that these lines do not find themselves.
check 'nothing is left for later' having 'TO''DO|FIX''ME' "${texts[@]}"
check 'no path of one machine' having '(^|[^a-z.])/wo''rk/|/tm''p/build' \
  "${texts[@]}"
check "README.md has the networks' scores" scores_agree
check 'every network has its scores' srgan-core/models/table.py --check
finish
