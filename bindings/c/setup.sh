#!/bin/sh
# Installs what run-tests.sh needs, where that can be done; says what is missing otherwise.
#
#   setup.sh           install what is missing (needs root and apt)
#   setup.sh --check   only say what is missing
#
# Required: a C and a C++ compiler, make, pkg-config, cmake. Optional: valgrind (leaks and
# uninitialised reads), clang (a second opinion of the compiler's warnings).
set -eu

missing() { # required|optional
    case $1 in
        required) set -- "cc:gcc" "c++:g++" "make:make" "pkg-config:pkg-config" "cmake:cmake" ;;
        optional) set -- "valgrind:valgrind" "clang:clang" ;;
    esac
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null 2>&1 || printf '%s ' "${pair##*:}"
    done
}

required=$(missing required)
optional=$(missing optional)
if [ "${1:-}" != --check ] && [ -n "$required$optional" ] &&
    [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "setup.sh: installing $required$optional"
    apt-get update -qq || true
    for package in $required $optional; do
        DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "$package" >/dev/null ||
            echo "setup.sh: $package could not be installed" >&2
    done
    required=$(missing required)
    optional=$(missing optional)
fi

[ -z "$optional" ] || echo "setup.sh: without $optional- the tests that use it are left out" >&2
if [ -n "$required" ]; then
    echo "setup.sh: missing: $required" >&2
    exit 1
fi
