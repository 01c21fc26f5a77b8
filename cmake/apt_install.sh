#!/bin/sh
# apt_install.sh PACKAGES...: installs those that are missing, with apt, as root or by a sudo that asks nothing. Where
# there is no apt it does nothing; where it may not, it says so and that is no failure; where apt fails, it fails.
set -eu

command -v apt-get >/dev/null 2>&1 || exit 0
native=$(dpkg --print-architecture)
missing=""
for package in "$@"; do
  # A bare name is ambiguous to dpkg once the package is installed for two architectures.
  dpkg -s "$package" >/dev/null 2>&1 || dpkg -s "$package:$native" >/dev/null 2>&1 || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
  as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
  as_root="sudo -n"
else
  echo "note: not root, so these packages were not installed:$missing" >&2
  exit 0
fi
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
case "$missing" in
*:arm64*) dpkg --print-foreign-architectures | grep -qx arm64 || $as_root dpkg --add-architecture arm64 ;;
esac
$as_root apt-get update -qq
# shellcheck disable=SC2086  # the list is meant to be split
$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
