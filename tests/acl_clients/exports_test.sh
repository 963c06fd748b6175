#!/bin/bash
# libascendcl.so exports exactly the functions of the headers, undefined symbols come from the C and C++ libraries only, and it stays small.
set -euo pipefail
lib=$1; shift
sort=(env LC_ALL=C sort -u)
declared=$(sed -n '/ACL_FUNC_VISIBILITY/,/[;(]/p' "$@" | grep -oE '\bacl[A-Za-z0-9]+\(' | tr -d '(' | "${sort[@]}")
exported=$(nm -D --defined-only "$lib" | awk '{print $3}' | "${sort[@]}")
(( $(wc -w <<< "$declared") > 120 )) || { echo "only $(wc -w <<< "$declared") functions found in the headers"; exit 1; }
if ! diff <(echo "$declared") <(echo "$exported"); then
  echo "declared (<) and exported (>) functions differ"; exit 1
fi
for needed in $(readelf -d "$lib" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
  case $needed in
    libstdc++.so.6 | libm.so.6 | libgcc_s.so.1 | libc.so.6 | libpthread.so.0 | ld-linux-*) ;;
    *) echo "needs $needed"; exit 1 ;;
  esac
done
readelf -d "$lib" | grep -q 'SONAME.*\[libascendcl.so.1\]' || { echo "soname is not libascendcl.so.1"; exit 1; }
size=$(stat -Lc %s "$lib")
echo "$(wc -w <<< "$exported") functions, $size bytes"
((size < 4000000)) || { echo "larger than 4 MB"; exit 1; }
