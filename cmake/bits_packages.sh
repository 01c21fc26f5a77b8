#!/bin/sh
# Installs what `make bits` compares beyond this machine's own compiler: clang, and on Debian the aarch64 compiler and
# libraries and the emulators. What is missing afterwards is skipped by `make bits`, with the reason.
set -eu

command -v apt-get >/dev/null 2>&1 || exit 0
packages="clang"
foreign=""
if [ "$(dpkg --print-architecture)" = amd64 ]; then
  packages="$packages qemu-user g++-aarch64-linux-gnu"
  # Ubuntu keeps its arm64 packages on another server, which apt would have to be told of.
  if grep -qx 'ID=debian' /etc/os-release; then
    foreign="arm64"
    packages="$packages zlib1g-dev:arm64 libhowardhinnant-date-dev:arm64"
  fi
fi
missing=""
for package in $packages; do
  dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
  as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
  as_root="sudo -n"
else
  echo "note: not root, so these packages were not installed:$missing; make bits will skip what needs them" >&2
  exit 0
fi
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
[ -z "$foreign" ] || $as_root dpkg --add-architecture "$foreign"
$as_root apt-get update -qq
# shellcheck disable=SC2086  # the list is meant to be split
$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
