#!/bin/bash
# lint.sh [--fix] [--all | FILE...]
# Checks the format of C++ files with clang-format 14: the given ones, all of them, or those that differ from HEAD.
# Runs clang-tidy 14 over the given .cc files when compile_commands.json is there (tools/compdb.py writes it).
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
mode=(--dry-run --Werror)
if [[ ${1:-} == --fix ]]; then mode=(-i); shift; fi
for tool in clang-format-14 clang-tidy-14; do
  command -v $tool >/dev/null || { echo "lint: missing; run as root:  apt-get install --no-install-recommends $tool" >&2; exit 2; }
done

if [[ ${1:-} == --all ]]; then
  mapfile -t files < <(git ls-files '*.cc' '*.h' '*.c')
elif (($#)); then
  files=("$@")
else
  mapfile -t files < <(git diff --name-only --diff-filter=d HEAD -- '*.cc' '*.h' '*.c'; git ls-files --others --exclude-standard '*.cc' '*.h' '*.c')
fi
((${#files[@]})) || { echo "lint: no C++ file to check"; exit 0; }

status=0
clang-format-14 "${mode[@]}" "${files[@]}" || status=1
if (($#)) && [[ $1 != --all ]]; then
  mapfile -t sources < <(printf '%s\n' "${files[@]}" | grep '\.cc$' || true)
  if ((${#sources[@]} == 0)); then :
  elif [[ -e compile_commands.json ]]; then clang-tidy-14 --quiet -p . "${sources[@]}" || status=1
  else echo "lint: no compile_commands.json, so no clang-tidy; run tools/compdb.py" >&2; fi
fi
exit $status
