#!/usr/bin/env bash
# Downloads a package of downloads.txt, checked by its sha256, and unpacks files of it: fetch.sh PACKAGE FOLDER PATTERN...
set -euo pipefail
here=$(dirname "$0")
package=$1 folder=$2
shift 2

case $(uname -m) in
x86_64 | aarch64) platform=manylinux_2_28_$(uname -m) ;;
*) echo "fetch.sh: ONNX Runtime has no package for $(uname -m); x86_64 and aarch64 are supported" >&2 && exit 1 ;;
esac

echo "downloading $package"
mkdir -p downloads
line=$(mktemp)
trap 'rm -f "$line"' EXIT
grep "^$package==" "$here/downloads.txt" >"$line"
version=$(sed 's/^.*==\([^ ]*\) .*/\1/' "$line")
# The Python version is named so that the same file comes, whatever Python this machine has.
python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --dest downloads \
    --only-binary=:all: --implementation cp --python-version 311 --platform "$platform" --requirement "$line"
python3 "$here/unpack.py" downloads/"${package//-/_}-$version"-*.whl "$folder" "$@"
