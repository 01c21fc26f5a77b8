#!/bin/sh
# no_shared_code.sh LIBRARY.a: fails if a unit that is compiled for wider vectors than the rest defines an inline
# function, whose copy the linker may take for the whole program.
set -eu

symbols=$(nm -A "$1" 2>/dev/null | grep ':kernels_avx') || { echo "$1: must hold kernels_avx*.cpp, found none"; exit 1; }
found=$(echo "$symbols" | awk '$(NF - 1) ~ /^[WVuv]$/ {print $NF}')
if [ -n "$found" ]; then
  echo "$1: kernels_avx*.cpp must define nothing that other units may share, found" $found
  exit 1
fi
