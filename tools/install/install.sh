#!/bin/bash
# Installs the SDK: headers, libraries, tools and examples in the folders that projects for CANN look into.
#   ./bazelw run //:install -- --prefix DIR
# DIR is made, or must be empty or hold an earlier installation, which is replaced file by file.
set -euo pipefail

archive=tools/install/sdk.tar
marker=omkit_sdk.txt

fail() { printf 'install: %s\n' "$*" >&2; exit 1; }
usage() { printf 'install: %s\nusage: ./bazelw run //:install -- --prefix DIR\n' "$*" >&2; exit 2; }

prefix=
while (($#)); do
  case $1 in
    --prefix=*) prefix=${1#*=} ;;
    --prefix) (($# > 1)) || usage "--prefix needs a folder"; prefix=$2; shift ;;
    *) usage "unknown argument '$1'" ;;
  esac
  shift
done
[[ -n $prefix ]] || usage "--prefix DIR is missing"

# bazel run starts here; relative folders are meant from where the user is.
source_dir=$(pwd -P)
[[ $prefix == /* ]] || prefix=${BUILD_WORKING_DIRECTORY:-$source_dir}/$prefix
[[ -e $archive ]] || fail "'$archive' is not built; start this by ./bazelw run //:install"

if [[ -e $prefix || -L $prefix ]]; then
  [[ -d $prefix ]] || fail "'$prefix' exists and is not a folder"
  if [[ ! -e $prefix/$marker && -n $(ls -A -- "$prefix") ]]; then
    fail "'$prefix' is neither empty nor an omkit SDK ($marker is missing); choose another folder"
  fi
fi
mkdir -p -- "$prefix" || fail "cannot make '$prefix'"
prefix=$(cd -- "$prefix" && pwd -P)
[[ -w $prefix ]] || fail "'$prefix' cannot be written to"
# tar removes a file before it writes the new one: programs that run keep the old one.
tar --extract --file="$archive" --directory="$prefix" --strip-components=1 --no-same-owner || fail "cannot unpack into '$prefix'"

printf 'installed %s in %s\nnext:  . %s/set_env.sh\n' "$(cat -- "$prefix/$marker")" "$prefix" "$prefix"
