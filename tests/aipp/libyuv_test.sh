#!/bin/bash
# AIPP's colour conversion and resize beside libyuv's (Debian's libyuv-dev, installed here when this runs as root): random frames and a photograph.
#
# They differ where both round: libyuv's matrices have 6 fractional bits and AIPP's 8. libyuv's factor of U in blue ends at 2.0, so that BT.709's
# 2.112 makes up to 15 levels there. Its weights of columns add up to 127 of 128 and are cut off, which makes pictures darker by one or two levels
# unless the ratio is whole.
set -euo pipefail
aipp=$1 peer_source=$2
if [[ ! -e /usr/include/libyuv.h ]]; then
  [[ $(id -u) == 0 && -x /usr/bin/apt-get ]] &&
    { apt-get -q update; DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends libyuv-dev; } >/dev/null 2>&1 || true
fi
[[ -e /usr/include/libyuv.h ]] || { echo "skipped: libyuv-dev is missing (apt-get install --no-install-recommends libyuv-dev)"; exit 0; }
tmp=$(mktemp -d "${TEST_TMPDIR:-/tmp}/libyuv.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
g++ -std=c++17 -O2 "$peer_source" -o "$tmp/peer" -lyuv

w=640 h=360
shared=${OMKIT_SHARED:-$(dirname "$(readlink -f bazelw)")/../shared}
photo=$(find "$shared/data/imagenet_sample" -name '*.jpg' 2>/dev/null | sort | head -1 || true)
"$tmp/peer" noise $w $h 1 "$tmp/noise.nv12"
frames=(noise)
if [[ -n $photo ]]; then
  "$aipp" make --source=nv12:${w}x$h --network=rgb:${w}x$h --csc=jpeg --output="$tmp/photo.cfg" 2>/dev/null
  "$aipp" preview --conf="$tmp/photo.cfg" --image="$photo" --frame="$tmp/photo.nv12" >/dev/null
  frames+=(photo)
else
  echo "no photograph in $shared/data/imagenet_sample: random frames only"
fi
# within LINE LARGEST MEAN: the line of the peer.
within() { echo "$3: $4"; awk -v largest="$1" -v mean="$2" '{ exit !($2 <= largest && $4 <= mean) }' <<<"$4"; }

for frame in "${frames[@]}"; do
  for matrix in jpeg bt601 bt709 bt709_wide; do
    "$aipp" make --source=nv12:${w}x$h --network=rgb:${w}x$h --csc=$matrix --output="$tmp/a.cfg" 2>/dev/null
    "$aipp" preview --conf="$tmp/a.cfg" --image="$tmp/$frame.nv12" --raw="$tmp/rgb.bin" >/dev/null
    within "$([[ $matrix == bt709 ]] && echo 16 || echo 4)" 1.2 "$frame $matrix" "$("$tmp/peer" convert $matrix $w $h "$tmp/$frame.nv12" "$tmp/rgb.bin")"
  done
  # The last matrix's RGB, made smaller. Enlarging has another convention in libyuv: the corners are aligned.
  for size in 320x180 224x224 97x71; do
    "$aipp" make --source=nv12:${w}x$h --network=rgb:$size --csc=bt709_wide --output="$tmp/a.cfg" 2>/dev/null
    "$aipp" preview --conf="$tmp/a.cfg" --image="$tmp/$frame.nv12" --raw="$tmp/small.bin" >/dev/null
    within 6 2.0 "$frame to $size" "$("$tmp/peer" scale $w $h ${size%x*} ${size#*x} "$tmp/rgb.bin" "$tmp/small.bin")"
  done
done
