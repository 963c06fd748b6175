#!/bin/bash
# The C++ examples, built by plain g++ and by CMake against the moved SDK, on the Fashion-MNIST model; pkg-config, msame, and the packages.
set -euo pipefail
. tests/sdk/sdk.sh
fashion=$runfiles/examples/fashion
compile "$fashion/fashion_qat.onnx" net --input_shape=input:1,1,28,28
compile "$fashion/fashion_qat.onnx" net4 --input_shape=input:4,1,28,28
python3 "$fashion/prepare.py" data --data "$fashion/data" >/dev/null || fail prepare.py
pictures=(data/calib/00[0-9].bin)
cat "${pictures[@]}" > pictures.bin

# Classes that the C API gives; every other program must agree.
examples=$OMKIT_HOME/examples/edge_infer
build acl_infer "$examples/acl_infer.cpp"
for name in main camera_loop multi_batch; do build "$name" "$examples/$name.cpp"; done
./acl_infer net.om "${pictures[@]}" | tee classes.log | awk '{ print $NF }' > classes
(( $(wc -l < classes) == 10 && $(sort -u classes | wc -l) > 3 )) || { cat classes.log; fail "acl_infer"; }
./main net.om "${pictures[@]}" | sed -n 's/^  1\. \[\([0-9]*\)\].*/\1/p' | diff classes - || fail "main disagrees"
./multi_batch net4.om pictures.bin | tee batch.log | awk '/^picture/ { print $NF }' | diff classes - || fail "multi_batch disagrees"
grep -q '^10 pictures in 3 batches of 4, ' batch.log || { cat batch.log; fail "multi_batch"; }
./camera_loop net.om pictures.bin --frames 50 | tee camera.log | awk '/^frame/ { print $NF }' | diff <(head -5 classes) - || fail "camera_loop disagrees"
grep -q '^50 frames, 0 dropped, median ' camera.log || { cat camera.log; fail "camera_loop"; }
./camera_loop net.om pictures.bin --frames 20 --fps 1000 > camera.log && grep -q '^20 frames, ' camera.log || fail "camera_loop --fps"
for mode in OMKIT_STRICT=1 OMKIT_RUN_MODE=device; do
  env $mode ./acl_infer net.om "${pictures[@]}" | diff classes.log - || fail "$mode changes the classes"
done
for bad in "acl_infer none.om ${pictures[0]}" "acl_infer net.om pictures.bin" "acl_infer net.om none" "camera_loop net.om none" "multi_batch net.om none" \
  "camera_loop net.om acl_infer" "multi_batch net4.om acl_infer"; do
  # shellcheck disable=SC2086
  if ./$bad > out 2>&1; then fail "$bad succeeded"; fi
  grep -q "^${bad%% *}: " out || { cat out; fail "$bad gave no message"; }
done

# After the first Infer the heap is left alone, by the wrapper and by the library.
build heap "$runfiles/tests/sdk/heap.cpp"
./heap net.om || fail "Infer uses the heap"

if command -v cmake >/dev/null; then
  cmake -S "$examples" -B cmake > cmake.log 2>&1 && cmake --build cmake >> cmake.log 2>&1 || { cat cmake.log; fail "CMake"; }
  ./cmake/acl_infer net.om "${pictures[@]}" | diff classes.log - || fail "the program of CMake disagrees"
  ./cmake/edge_infer net.om "${pictures[0]}" >/dev/null && ./cmake/multi_batch net4.om pictures.bin >/dev/null || fail "programs of CMake"
else
  echo "no cmake: its part is left out"
fi
if command -v pkg-config >/dev/null; then
  [[ $(pkg-config --modversion omkit) == 1.0.0 ]] || fail "pkg-config --modversion"
  eval "g++ -std=c++11 '$examples/acl_infer.cpp' $(pkg-config --cflags --libs omkit) -o by_pkg_config" || fail "pkg-config's flags"
fi

# msame
mkdir -p ins; cp "${pictures[@]}" ins/
msame --model net.om --input ins --output out_bin --loop=2 > msame.log && grep -q 'Inference average time without first time: ' msame.log ||
  { cat msame.log; fail msame; }
om run net.om --input=ins/003.bin --output=om_out >/dev/null
cmp om_out/output_0.bin out_bin/*/net_003_output_0.bin || fail "msame's output"
msame --model=net.om --input=ins/003.bin --output=out_txt --outfmt=TXT >/dev/null
[[ $(wc -lw < out_txt/*/net_output_0.txt | tr -s ' ') == ' 1 10' ]] || fail "msame's text"
for bad in "" "--model none.om" "--model net.om --loop 101" "--model net.om --dymBatch 2" "--model net.om --lop 2" "--model net.om --input none" \
  "--model net.om --dump true --profiler true --output o"; do
  # shellcheck disable=SC2086
  if msame $bad > out 2>&1; then fail "msame $bad succeeded"; fi
  grep -q '^\[ERROR\] ' out || fail "msame $bad gave no message"
done
echo PASSED
