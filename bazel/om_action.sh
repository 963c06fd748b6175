#!/bin/bash
# Runs one tool for om.bzl:  om_action.sh SPEC
# SPEC has lines of tab-separated fields: run TOOL, log FILE, in NAME FILE, out NAME FILE, arg TEXT. The tool runs in a new folder in which
# the inputs lie under their names and leaves its outputs there under theirs. What it prints goes to the log, and to the console when
# it fails.
set -euo pipefail
root=$PWD
work=$(mktemp -d "${TMPDIR:-/tmp}/om_action.XXXXXX")
trap 'rm -rf "$work"' EXIT

tool='' log='' arguments=() outputs=()
while IFS=$'\t' read -r kind first second || [[ -n $kind ]]; do
  case $kind in
    run) tool=$first ;;
    log) log=$first ;;
    arg) arguments+=("$first") ;;
    out) outputs+=("$first" "$second") ;;
    in)
      mkdir -p "$(dirname "$work/$first")"
      ln -s "$root/$second" "$work/$first" ;;
    *) echo "om_action.sh: unknown line '$kind' in $1" >&2; exit 2 ;;
  esac
done < "$1"
[[ $tool == /* ]] || tool=$root/$tool

# Nothing of the machine but its CPU may matter.
unset OMKIT_PLUGIN_PATH OMKIT_SOC OMKIT_ISA OMKIT_NUM_THREADS
if ! (cd "$work" && "$tool" "${arguments[@]}") > "$root/$log" 2>&1; then
  cat "$root/$log" >&2
  exit 1
fi
for ((i = 0; i < ${#outputs[@]}; i += 2)); do
  [[ -e $work/${outputs[i]} ]] || { cat "$root/$log" >&2; echo "om_action.sh: the tool made no ${outputs[i]}" >&2; exit 1; }
  cp "$work/${outputs[i]}" "$root/${outputs[i + 1]}"
done
