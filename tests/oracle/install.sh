#!/bin/bash
# Makes onnxruntime-node available to the tests, outside the source tree, and prints the folder that holds node_modules.
# Ready already: returns at once. Impossible here: prints 'skipped: why' and exits 77.
# The folder: $OMKIT_ORACLE_DIR, else ${XDG_CACHE_HOME:-$HOME/.cache}/omkit-oracle.
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
skip() { echo "skipped: $*"; exit 77; }

home=${HOME:-}
# A test runner may give a throw-away HOME; the packages belong to the account.
if [[ -z $home || ( -n ${TEST_TMPDIR:-} && $home == "$TEST_TMPDIR"* ) ]]; then home=$(getent passwd "$(id -u)" | cut -d: -f6); fi
dir=${OMKIT_ORACLE_DIR:-${XDG_CACHE_HOME:-$home/.cache}/omkit-oracle}
lock=$(cat "$here/package.json" "$here/package-lock.json" | sha256sum | cut -c1-32)
ready() { [[ -e $dir/ready && $(<"$dir/ready") == "$lock" ]] && command -v node >/dev/null; }
if ready; then echo "$dir"; exit 0; fi

mkdir -p "$dir" 2>/dev/null && [[ -w $dir ]] || skip "$dir cannot be written here; run tests/oracle/install.sh once outside the test"
exec 9>"$dir/lock"
flock 9
if ready; then echo "$dir"; exit 0; fi

need=()
command -v node >/dev/null || need+=(nodejs)
command -v npm >/dev/null || need+=(npm)
if ((${#need[@]})); then
  command -v apt-get >/dev/null || skip "${need[*]} is missing and there is no apt-get"
  [[ $(id -u) == 0 ]] || skip "${need[*]} is missing; run as root: apt-get install --no-install-recommends ${need[*]}"
  { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${need[@]}"; } >"$dir/apt.log" 2>&1 ||
    skip "apt-get could not install ${need[*]} (see $dir/apt.log)"
fi

rm -f "$dir/ready"
cp "$here/package.json" "$here/package-lock.json" "$dir/"
# The package carries the CPU library; its install script would only fetch CUDA libraries.
(cd "$dir" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >"$dir/npm.log" 2>&1 ||
  skip "npm could not install onnxruntime-node (see $dir/npm.log)"
rm -rf "$dir"/node_modules/onnxruntime-node/bin/napi-v*/{darwin,win32}
(cd "$dir" && node -e "require('onnxruntime-node')") >"$dir/npm.log" 2>&1 || skip "onnxruntime-node does not load here (see $dir/npm.log)"
echo "$lock" >"$dir/ready"
echo "$dir"
