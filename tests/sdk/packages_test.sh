#!/bin/bash
# The .tar.gz and the .deb hold the SDK's files, and packing again gives the same bytes.
set -euo pipefail
sdk=$1 tarball=$2 deb=$3 package=$4
fail() { echo "FAILED: $*"; exit 1; }
gzip -dc "$tarball" | cmp - "$sdk" || fail "the .tar.gz holds something else"
version=$(tar -xOf "$sdk" --wildcards '*/omkit_sdk.txt' | awk '{ print $3 }')
[[ $(basename "$tarball") == "omkit-$version.tar.gz" && $(basename "$deb") == "omkit_$version.deb" ]] || fail "names"
mkdir "$TEST_TMPDIR/deb" "$TEST_TMPDIR/sdk"
(cd "$TEST_TMPDIR/deb" && ar x "$OLDPWD/$deb" && tar -xzf data.tar.gz && tar -xzf control.tar.gz)
tar -xf "$sdk" -C "$TEST_TMPDIR/sdk" --strip-components=1
diff -r --no-dereference "$TEST_TMPDIR/sdk" "$TEST_TMPDIR/deb/opt/omkit" || fail "the .deb holds something else"
[[ $(head -1 "$TEST_TMPDIR/deb/debian-binary") == 2.0 ]] || fail "debian-binary"
(cd "$TEST_TMPDIR/deb" && md5sum --quiet -c md5sums) || fail md5sums
architecture=$(sed -n 's/^Architecture: //p' "$TEST_TMPDIR/deb/control")
if command -v dpkg-deb >/dev/null; then
  [[ $(dpkg-deb --field "$deb" Package Version | tr '\n' ' ') == "Package: omkit Version: $version " ]] || fail "dpkg-deb --field"
  dpkg-deb --contents "$deb" > "$TEST_TMPDIR/contents" && grep -q ' ./opt/omkit/bin/atc$' "$TEST_TMPDIR/contents" || fail "dpkg-deb --contents"
fi
bash "$package" deb "$version" "$architecture" "$sdk" "$TEST_TMPDIR/again.deb"
cmp "$deb" "$TEST_TMPDIR/again.deb" || fail "a second .deb differs"
echo PASSED
