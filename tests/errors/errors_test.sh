#!/bin/bash
# What a user sees when something is wrong: each fault gives its code, a message that names the thing, an exit status other than zero, and
# leaves nothing behind.
set -uo pipefail
atc=$PWD/$1 om=$PWD/$2 model=$PWD/examples/fashion/fashion_fp32.onnx
tmp=$(mktemp -d "${TEST_TMPDIR:-/tmp}/errors.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1
failures=0
shape=--input_shape=input:1,1,28,28
# expect NAME WORDS -- COMMAND: the command fails and its output has all words (separated by '|').
expect() {
  local name=$1 words=$2 word
  shift 3
  local rc=0
  "$@" >out.txt 2>&1 || rc=$?
  ((rc > 0 && rc < 128)) || { echo "FAILED $name: exit status $rc"; ((++failures)); cat out.txt; }
  while read -r word; do
    grep -qF -- "$word" out.txt || { echo "FAILED $name: no '$word' in:"; cat out.txt; ((++failures)); }
  done < <(tr '|' '\n' <<<"$words")
  [[ -z $(find . -name 'x.om*' -o -name '.*tmp*') ]] || { echo "FAILED $name: left behind: $(ls -A)"; ((++failures)); rm -f x.om* .*tmp*; }
}
compile=("$atc" --framework=5 --output=x --soc_version=host)

expect "missing model" "E10410|nope.onnx" -- "${compile[@]}" --model=nope.onnx
expect "unknown flag" "unknown command line flag|sok_version|--soc_version" -- "${compile[@]}" --model="$model" --sok_version=host
expect "unknown soc" "E10001|npu9|soc_version" -- "$atc" --framework=5 --output=x --soc_version=npu9 --model="$model"
expect "no soc" "E10054|soc_version" -- "$atc" --framework=5 --output=x --model="$model"
expect "no framework" "E10007|framework" -- "$atc" --output=x --soc_version=host --model="$model"
expect "other framework" "E10001|framework" -- "$atc" --framework=3 --output=x --soc_version=host --model="$model"
expect "open shape" "E11005|input" -- "${compile[@]}" --model="$model"
expect "unknown input" "E10016|inputs" -- "${compile[@]}" --model="$model" --input_shape=inputs:1,1,28,28
expect "wrong rank" "E10049" -- "${compile[@]}" --model="$model" --input_shape=input:1,28,28
expect "zero dimension" "E10011" -- "${compile[@]}" --model="$model" --input_shape=input:0,1,28,28
expect "no calibration" "E10058|calibrate_tool_path" -- "${compile[@]}" --model="$model" $shape --quant_type=1
expect "no calibration folder" "calibrate_tool_path|nowhere" -- "${compile[@]}" --model="$model" $shape --quant_type=1 --calibrate_tool_path=nowhere
mkdir calib
expect "empty calibration folder" "calib" -- "${compile[@]}" --model="$model" $shape --quant_type=1 --calibrate_tool_path=calib
head -c 3135 /dev/zero >calib/short.bin
expect "short sample" "short.bin|3135|3136" -- "${compile[@]}" --model="$model" $shape --quant_type=1 --calibrate_tool_path=calib
rm calib/short.bin
printf '\x00\x00\xc0\x7f%.0s' $(seq 784) >calib/nan.bin
expect "NaN sample" "nan.bin" -- "${compile[@]}" --model="$model" $shape --quant_type=1 --calibrate_tool_path=calib
expect "output folder" "output|missing" -- "$atc" --framework=5 --output=missing/x --soc_version=host --model="$model" $shape
expect "bare word" "word" -- "${compile[@]}" --model="$model" $shape word
# aipp WORDS FIELDS: a static AIPP block with these fields is refused.
aipp() { printf 'aipp_op {\n  aipp_mode: static\n  %s\n}\n' "$2" >aipp.cfg; expect "AIPP: $2" "$1" -- "${compile[@]}" --model="$model" $shape --insert_op_conf=aipp.cfg; }
expect "missing AIPP file" "E10410|aipp_missing.cfg" -- "${compile[@]}" --model="$model" $shape --insert_op_conf=aipp_missing.cfg
expect "AIPP flag alone" "E10057|aipp_strict" -- "${compile[@]}" --model="$model" $shape --aipp_strict
aipp "E13018|aipp.cfg|3:|unknown field 'mean_chan_0'; did you mean 'mean_chn_0'" "mean_chan_0: 1"
aipp "E13018|2147483648" "src_image_size_w: 2147483648"
aipp "E10052|input_format must be configured" "csc_switch: false"
nv12="input_format: YUV420SP_U8 csc_switch: true matrix_r0c0: 256 matrix_r0c1: 0 matrix_r1c0: 0 matrix_r1c1: 0 matrix_r1c2: 0 matrix_r2c0: 0 matrix_r2c2: 0"
hd="$nv12 src_image_size_w: 1920 src_image_size_h: 1080"
aipp "E10052|load_start_pos_w is 5, but must be even" "$hd crop: true load_start_pos_w: 5"
aipp "E10052|is more than src_image_size_h 1080" "$hd crop: true load_start_pos_h: 1060"
aipp "E10052|mean_chn_0 is nan" "input_format: YUV400_U8 mean_chn_0: nan"
aipp "E10052|YUV400_U8 has no colours" "input_format: YUV400_U8 csc_switch: true"
aipp "E10052|must be equal to src_image_size_w 30" "input_format: YUV400_U8 src_image_size_w: 30 src_image_size_h: 28"
printf 'aipp_op { aipp_mode: static %s resize: true }\n' "$hd" >aipp.cfg
expect "AIPP resize in strict mode" "E10052|resize only support Hi3796CV300ES and Hi3796CV300CS" -- "${compile[@]}" --model="$model" $shape --insert_op_conf=aipp.cfg --aipp_strict
printf 'aipp_op { aipp_mode: dynamic }\n' >aipp.cfg
expect "AIPP without a largest image" "E10052|max_src_image_size" -- "${compile[@]}" --model="$model" $shape --insert_op_conf=aipp.cfg
head -c 20000 "$model" >cut.onnx
expect "truncated model" "cut.onnx" -- "${compile[@]}" --model=cut.onnx $shape
# A model whose only node is NoSuchOperator(x) -> y.
python3 - <<'P'
def field(n, data): return bytes([n << 3 | 2, len(data)]) + data
def tensor(name): return field(1, name) + field(2, field(1, bytes([8, 1]) + field(2, field(1, bytes([8, 4])))))
node = field(1, b"x") + field(2, b"y") + field(3, b"my_node") + field(4, b"NoSuchOperator")
graph = field(1, node) + field(2, b"g") + field(11, tensor(b"x")) + field(12, tensor(b"y"))
open("op.onnx", "wb").write(bytes([8, 8]) + field(8, bytes([16, 17])) + field(7, graph))
P
expect "unsupported operator" "NoSuchOperator|my_node" -- "${compile[@]}" --model=op.onnx

"$atc" --framework=5 --output=good --soc_version=host --model="$model" $shape >log.txt || { cat log.txt; exit 1; }
size=$(stat -c %s good.om)
head -c $((size / 2)) good.om >cut.om
expect "truncated om" "cut.om|truncated" -- "$om" run cut.om
cp good.om flip.om
printf '\xff' | dd of=flip.om bs=1 seek=$((size - 1000)) conv=notrunc status=none
cmp -s good.om flip.om && printf '\x00' | dd of=flip.om bs=1 seek=$((size - 1000)) conv=notrunc status=none
expect "flipped byte" "flip.om|damaged" -- "$om" run flip.om
other=npu-int8-generic
expect "wrong soc_version" "$other|soc_version" -- env OMKIT_SOC=$other "$om" run good.om
expect "missing om" "nothing.om" -- "$om" run nothing.om
expect "missing input file" "nothing.bin" -- "$om" run good.om --input nothing.bin
head -c 10 /dev/zero >short.bin
expect "short input file" "10" -- "$om" run good.om --input short.bin
# A failed compile leaves an older file as it was.
sum=$(sha256sum <good.om)
"$atc" --framework=5 --output=good --soc_version=host --model=cut.onnx $shape >/dev/null 2>&1 && ((++failures))
[[ $(sha256sum <good.om) == "$sum" ]] || { echo "FAILED: the older file changed"; ((++failures)); }
"$om" run good.om >/dev/null || { echo "FAILED: a good model does not run"; ((++failures)); }
((failures == 0))
