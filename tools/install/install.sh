#!/bin/bash
# Lays out the SDK: headers, libraries, tools and examples in the folders that projects for CANN look into.
#   ./bazelw run //:install -- --prefix DIR
# DIR is made, or must be empty or hold an earlier installation, which is replaced file by file.
set -euo pipefail

version=1.0.0
marker=omkit_sdk.txt
aliases=(libacl libacl_rt libacl_mdl libacl_cblas libacl_dvpp)

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
for file in runtime/acl/include/acl/acl.h tools/libascendcl/libascendcl.so tools/atc/atc tools/om/om; do
  [[ -e $file ]] || fail "'$file' is not built; start this by ./bazelw run //:install"
done

if [[ -e $prefix || -L $prefix ]]; then
  [[ -d $prefix ]] || fail "'$prefix' exists and is not a folder"
  if [[ ! -e $prefix/$marker && -n $(ls -A -- "$prefix") ]]; then
    fail "'$prefix' is neither empty nor an omkit SDK ($marker is missing); choose another folder"
  fi
fi
mkdir -p -- "$prefix" || fail "cannot make '$prefix'"
prefix=$(cd -- "$prefix" && pwd -P)
[[ -w $prefix ]] || fail "'$prefix' cannot be written to"
printf 'omkit SDK %s\n' "$version" > "$prefix/$marker"

# put MODE FROM TO: programs that run keep the old file.
put() {
  mkdir -p -- "$(dirname -- "$prefix/$3")"
  cp -L --remove-destination -- "$2" "$prefix/$3"
  chmod "$1" -- "$prefix/$3"
}
# link TARGET NAME: a symbolic link, replacing an older one.
link() {
  mkdir -p -- "$(dirname -- "$prefix/$2")"
  ln -sfn -- "$1" "$prefix/$2"
}

for header in runtime/acl/include/acl/*.h runtime/acl/include/acl/*/*.h; do
  put 644 "$header" "include/${header#runtime/acl/include/}"
done
put 644 runtime/edge_infer/edge_infer.h include/edge_infer.h
put 755 tools/libascendcl/libascendcl.so "lib64/libascendcl.so.$version"
link "libascendcl.so.$version" lib64/libascendcl.so.1
link libascendcl.so.1 lib64/libascendcl.so
link ../libascendcl.so lib64/stub/libascendcl.so
for name in "${aliases[@]}"; do
  link libascendcl.so.1 "lib64/$name.so"
  link ../libascendcl.so "lib64/stub/$name.so"
done
for room in runtime acllib; do
  link ../include "$room/include"
  link ../lib64 "$room/lib64"
done
put 755 tools/atc/atc bin/atc
put 755 tools/om/om bin/om
put 644 tools/install/set_env.sh set_env.sh
put 644 examples/edge_infer/main.cpp examples/edge_infer/main.cpp

printf 'installed omkit SDK %s in %s\nnext:  . %s/set_env.sh\n' "$version" "$prefix" "$prefix"
