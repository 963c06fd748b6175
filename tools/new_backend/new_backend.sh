#!/bin/bash
# Makes the folder of a new backend plugin, with a chip that works and a test that passes (docs/plugins.md).
#   new_backend NAME [--into FOLDER] [--sdk FOLDER]
# NAME: lower-case letters, digits and '_'. The folder is FOLDER/NAME, in the current folder by default, anywhere. --sdk (default:
# OMKIT_HOME) is where the plugin's build finds omkit/plugin.h and the conformance suite.
set -euo pipefail
fail() { printf 'new_backend: %s\n' "$*" >&2; exit 2; }

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
templates=$here/templates
[[ -d $templates ]] || templates=$here/../share/new_backend/templates
[[ -d $templates ]] || fail "its templates are not where they should be: $templates"

# bazel run starts this elsewhere than where the user is.
start=${BUILD_WORKING_DIRECTORY:-$PWD}
name='' into=$start sdk=${OMKIT_HOME:-}
while (($#)); do
  case $1 in
    --into) (($# > 1)) || fail "--into needs a folder"; into=$2; shift ;;
    --into=*) into=${1#*=} ;;
    --sdk) (($# > 1)) || fail "--sdk needs a folder"; sdk=$2; shift ;;
    --sdk=*) sdk=${1#*=} ;;
    -h | --help) sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    -*) fail "unknown flag '$1'" ;;
    *) [[ -z $name ]] || fail "two names: '$name', '$1'"; name=$1 ;;
  esac
  shift
done
[[ $name =~ ^[a-z][a-z0-9_]*$ ]] || fail "NAME is '$name': lower-case letters, digits and '_' are needed, a letter first"
[[ $into == /* ]] || into=$start/$into
[[ -z $sdk || $sdk == /* ]] || sdk=$start/$sdk
folder=$into/$name
[[ ! -e $folder ]] || fail "'$folder' exists"
mkdir -p "$folder" || fail "cannot make '$folder'"
folder=$(cd "$folder" && pwd -P)
[[ -z $sdk ]] || sdk=$(cd "$sdk" && pwd -P) || fail "no folder '$sdk'"

for template in "$templates"/*; do
  file=$(basename "$template" .in)
  # Inside omkit's tree the plugin is a package like any other.
  [[ $file == WORKSPACE && -e $folder/../../WORKSPACE ]] && continue
  file=${file/NAME/$name}
  sed -e "s|@NAME@|$name|g" -e "s|@CHIP@|${name//_/-}|g" -e "s|@SDK@|$sdk|g" "$template" > "$folder/$file"
  [[ $file != *.sh ]] || chmod +x "$folder/$file"
done

cat <<END
made $folder
next:
  cd $folder
  ./build.sh          # lib$name.so, with g++ alone
  ./${name}_test.sh   # the conformance suite on the chip '${name//_/-}'
END
[[ -n $sdk ]] || echo "OMKIT_HOME is not set: say '. SDK/set_env.sh' first, where SDK is what './bazelw run //:install -- --prefix SDK' made"
