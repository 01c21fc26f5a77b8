#!/bin/sh
# no_libm.sh LIBRARY.a: fails if the library calls a function of libm whose value is libm's own choice.
set -eu

# IEEE 754 leaves these no choice: their result is exact, or rounded once.
fixed="sqrt ceil floor trunc fabs"

# shellcheck disable=SC2086  # CC may hold more than a name: "ccache gcc"
libm=$(${CC:-cc} -print-file-name=libm.so.6 2>/dev/null) || libm=
if [ ! -e "$libm" ]; then
  echo "skipped: ${CC:-cc} finds no libm.so.6, whose functions are looked for"
  exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
nm -D --defined-only "$libm" | awk '{sub(/@.*/, "", $3); print $3}' | sort -u >"$folder/libm"
nm -u "$1" | awk '$1 == "U" {print $2}' | sort -u >"$folder/called"
grep -qx log "$folder/libm" || { echo "$libm: log must be among its functions, found only:" $(cat "$folder/libm"); exit 1; }
[ -s "$folder/called" ] || { echo "$1: must call something, found nothing"; exit 1; }
found=$(comm -12 "$folder/libm" "$folder/called")
for name in $fixed; do
  found=$(echo "$found" | grep -vx "$name" || true)
done
if [ -n "$found" ]; then
  echo "$1: must call no function of libm but $fixed, found" $found
  exit 1
fi
