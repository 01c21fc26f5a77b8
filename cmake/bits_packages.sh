#!/bin/sh
# Installs what `make bits` compares beyond this machine's own compiler: clang, and on Debian the aarch64 compiler and
# libraries and the emulators. What is missing afterwards is skipped by `make bits`, with the reason.
set -eu

command -v apt-get >/dev/null 2>&1 || exit 0
if [ "$(id -u)" -eq 0 ]; then
  as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
  as_root="sudo -n"
else
  echo "note: not root, so no package was installed; make bits will skip what it lacks" >&2
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive

# Installs those of the given packages that are missing; that it cannot is no failure.
add() {
  missing=""
  for package in "$@"; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  echo "installing$missing"
  # shellcheck disable=SC2086  # the list is meant to be split
  $as_root apt-get update -qq && $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
    echo "note: apt-get failed, so these may be missing:$missing; make bits will skip what needs them" >&2
}

add clang
[ "$(dpkg --print-architecture)" = amd64 ] || exit 0
add qemu-user g++-aarch64-linux-gnu
# Ubuntu keeps its arm64 packages on another server, which apt would have to be told of.
grep -qx 'ID=debian' /etc/os-release || exit 0
dpkg --print-foreign-architectures | grep -qx arm64 || $as_root dpkg --add-architecture arm64
add zlib1g-dev:arm64 libhowardhinnant-date-dev:arm64
