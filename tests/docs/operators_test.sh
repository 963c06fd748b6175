#!/bin/bash
# The table of docs/operators.md is what `om ops --markdown` prints. Arguments: om. With --write before it, the page is renewed.
set -euo pipefail
write=
[[ $1 == --write ]] && { write=1; shift; }
root=$(dirname "$(readlink -f bazelw)")
page=$root/docs/operators.md
renewed=$(mktemp "${TEST_TMPDIR:-/tmp}/operators.XXXXXX")
awk '/^<!-- om ops -->$/ {print; exit} {print}' "$page" >"$renewed"
{ echo; "$1" ops --markdown; echo; } >>"$renewed"
awk '/^<!-- end of om ops -->$/ {found = 1} found' "$page" >>"$renewed"
if cmp -s "$page" "$renewed"; then rm "$renewed"; exit 0; fi
if [[ $write ]]; then cat "$renewed" >"$page"; rm "$renewed"; exit 0; fi
diff "$page" "$renewed" | head -20
echo "docs/operators.md is out of date; run: bazelw run //tools/om -- ops --markdown, or tests/docs/operators_test.sh --write PATH_OF_om in the root"
exit 1
