#!/bin/bash
# Lays the SDK out and packs it:  layout.sh VERSION MANIFEST OUT.tar
# MANIFEST has lines "place in the SDK<TAB>file". Links, version numbers and modes are added here. Equal files give an equal archive.
set -euo pipefail
version=$1 manifest=$2 out=$3
top=omkit-$version
# What build files of projects for CANN link besides -lascendcl; each is the one library under another name.
aliases=(libacl libacl_rt libacl_mdl libacl_cblas libacl_dvpp libacl_op_executor libacl_op_compiler libmsprofiler)

staging=$(mktemp -d "${TMPDIR:-/tmp}/omkit_sdk.XXXXXX")
trap 'rm -rf "$staging"' EXIT
root=$staging/$top
umask 022
mkdir "$root"
while IFS=$'\t' read -r place file; do
  mkdir -p "$(dirname "$root/$place")"
  case $place in
    share/new_backend/*) mode=644 ;;
    *.in) sed "s/@VERSION@/$version/g" "$file" > "$root/${place%.in}"; chmod 644 "$root/${place%.in}"; continue ;;
    bin/* | bazel/*.sh | *.so | *.so.*) mode=755 ;;
    *) mode=644 ;;
  esac
  install -m "$mode" "$file" "$root/$place"
done < "$manifest"

# link TARGET NAME
link() { mkdir -p "$(dirname "$root/$2")"; ln -s "$1" "$root/$2"; }
mv "$root/lib64/libascendcl.so" "$root/lib64/libascendcl.so.$version"
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
printf 'omkit SDK %s\n' "$version" > "$root/omkit_sdk.txt"

find "$root" -type d -exec chmod 755 {} +
tar --create --file="$out" --directory="$staging" --format=gnu --sort=name --owner=0 --group=0 --numeric-owner --mtime=@946684800 "$top"
