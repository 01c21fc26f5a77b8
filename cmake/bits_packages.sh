#!/bin/sh
# Installs what `make bits` compares beyond this machine's own compiler: clang, and on Debian the aarch64 compiler and
# libraries and the emulators. What is missing afterwards is skipped by `make bits`, with the reason.
set -eu

# That it cannot is no failure.
add() {
  sh "$(dirname "$0")/apt_install.sh" "$@" ||
    echo "note: apt-get failed, so these may be missing: $*; make bits will skip what needs them" >&2
}

command -v apt-get >/dev/null 2>&1 || exit 0
add clang
[ "$(dpkg --print-architecture)" = amd64 ] || exit 0
add qemu-user g++-aarch64-linux-gnu
# Ubuntu keeps its arm64 packages on another server, which apt would have to be told of.
grep -qx 'ID=debian' /etc/os-release || exit 0
add zlib1g-dev:arm64 libstdc++6:arm64
