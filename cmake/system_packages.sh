#!/bin/sh
# Installs the C++ libraries that Debian and Ubuntu package, and the packages given as arguments. Elsewhere CMake fetches
# them, all but zlib.
set -eu

sh "$(dirname "$0")/apt_install.sh" zlib1g-dev libcli11-dev doctest-dev nlohmann-json3-dev tzdata "$@"
