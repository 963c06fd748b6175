#!/bin/bash
# libomkit_rt.a offers exactly the functions of its header and needs nothing of an operating system: no heap, files, output, threads,
# exceptions or run-time types.
set -euo pipefail
archive=$1 header=$2
sort=(env LC_ALL=C sort -u)
declared=$(grep -oE '\bomkit_rt_[a-z_]+\(' "$header" | tr -d '(' | "${sort[@]}")
offered=$(nm --defined-only --extern-only "$archive" | awk 'NF == 3 { print $3 }' | "${sort[@]}")
diff <(echo "$declared") <(echo "$offered") || { echo "declared (<) and offered (>) functions differ"; exit 1; }
allowed='memcpy memmove memset memcmp fmaf _GLOBAL_OFFSET_TABLE_'
needed=$(nm --undefined-only "$archive" | awk 'NF == 2 { print $2 }' | "${sort[@]}")
# The only processor query that needs the C library: Linux on arm64.
[[ $(uname -m) == aarch64 ]] && allowed+=' getauxval'
for symbol in $needed; do
  [[ " $allowed " == *" $symbol "* ]] || { echo "needs $symbol"; exit 1; }
done
echo "offers $(wc -w <<< "$offered") functions, needs: $(echo $needed), $(stat -Lc %s "$archive") bytes"
# No static constructors either: they would need somebody to call them.
if readelf -SW "$archive" | grep -E '\.(init_array|ctors)'; then echo "has static constructors"; exit 1; fi
