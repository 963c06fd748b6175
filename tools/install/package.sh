#!/bin/bash
# Wraps the SDK's archive for people without the sources:  package.sh tarball|deb VERSION ARCHITECTURE SDK.tar OUT
# Equal archives give equal packages: no time, user or file order of this machine goes in.
set -euo pipefail
kind=$1 version=$2 architecture=$3 sdk=$4 out=$5
reproducible=(--format=gnu --sort=name --owner=0 --group=0 --numeric-owner --mtime=@946684800)
staging=$(mktemp -d "${TMPDIR:-/tmp}/omkit_package.XXXXXX")
trap 'rm -rf "$staging"' EXIT
umask 022

tarball() { gzip -n -6 < "$sdk" > "$out"; }

# deb(5): an ar archive of the format's version, the control files and the data. The package is one folder, /opt/omkit.
deb() {
  mkdir -p "$staging/data/opt/omkit" "$staging/control"
  tar --extract --file="$sdk" --directory="$staging/data/opt/omkit" --strip-components=1
  (cd "$staging/data" && find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 md5sum) > "$staging/control/md5sums"
  cat > "$staging/control/control" <<END
Package: omkit
Version: $version
Architecture: $architecture
Maintainer: omkit developers <omkit@localhost>
Installed-Size: $(find "$staging/data" -type f -printf '%s\n' | awk '{ kib += int(($1 + 1023) / 1024) } END { print kib }')
Depends: libc6, libstdc++6, libgcc-s1
Suggests: g++, python3-numpy
Section: devel
Priority: optional
Description: offline models (.om) from ONNX networks, run on CPUs through the AscendCL C API
 The atc compiler, the libascendcl runtime, headers, tools and examples. After installation: . /opt/omkit/set_env.sh
END
  printf '2.0\n' > "$staging/debian-binary"
  for part in control data; do
    tar --create "${reproducible[@]}" --directory="$staging/$part" . | gzip -n -6 > "$staging/$part.tar.gz"
  done
  rm -f "$out"
  (cd "$staging" && ar rcD package.deb debian-binary control.tar.gz data.tar.gz)
  mv "$staging/package.deb" "$out"
}

case $kind in
  tarball | deb) "$kind" ;;
  *) echo "package.sh: no package kind '$kind'" >&2; exit 2 ;;
esac
