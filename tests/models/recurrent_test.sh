#!/bin/bash
# Networks that carry a state, 50 steps against ONNX Runtime: each side feeds its own state back; every output of every step within 1e-4
# relative, 1e-5 absolute in FP32.
set -euo pipefail
# shellcheck disable=SC1091
. tests/models/setup.sh

# steps NAME MODEL SHAPES STATES INPUT...
steps() {
  echo "== $1"
  local args=() input state
  for state in $4; do args+=(--state "$state"); done
  for input in "${@:5}"; do args+=(--input "$input"); done
  node tests/oracle/ort_run.mjs --model "$shared/models/$2.onnx" --steps 50 --write-inputs --out "$tmp/$1" "${args[@]}" >"$tmp/log" ||
    { cat "$tmp/log"; exit 1; }
  "$atc" --model="$shared/models/$2.onnx" --framework=5 --output="$tmp/$1" --soc_version=host --log=error ${3:+--input_shape="$3"} \
    >"$tmp/log" || { cat "$tmp/log"; exit 1; }
  # shellcheck disable=SC2086
  "$compare" steps "$tmp/$1.om" "$tmp/$1" 1e-4 1e-5 $4
}

steps silero_half silero_vad_half "input:1,576;state:2,1,128" state=stateN input=lcg,1,-0.5,0.5:1x576 state=const,0:2x1x128
# The sampling rate chooses a branch of the nested If.
steps silero_16k silero_vad_op18_ifless "input:1,576;state:2,1,128" state=stateN input=lcg,1,-0.5,0.5:1x576 state=const,0:2x1x128 sr=const,16000:scalar
steps silero_8k silero_vad_op18_ifless "input:1,288;state:2,1,128" state=stateN input=lcg,1,-0.5,0.5:1x288 state=const,0:2x1x128 sr=const,8000:scalar
steps gtcrn gtcrn_simple "" "conv_cache=conv_cache_out tra_cache=tra_cache_out inter_cache=inter_cache_out" \
  mix=lcg,1,-1,1 conv_cache=const,0 tra_cache=const,0 inter_cache=const,0
