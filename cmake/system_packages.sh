#!/bin/sh
# Installs the C++ libraries that Debian and Ubuntu package, and the packages given as arguments. Elsewhere CMake fetches
# them, all but zlib.
set -eu

packages="zlib1g-dev libcli11-dev doctest-dev libhowardhinnant-date-dev nlohmann-json3-dev tzdata $*"

command -v apt-get >/dev/null 2>&1 || exit 0
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
  echo "note: not root, so these packages were not installed:$missing; CMake will fetch what it can" >&2
  exit 0
fi
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# shellcheck disable=SC2086  # the list is meant to be split
$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
