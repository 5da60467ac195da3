#!/bin/sh
# Installs the C and C++ interface under a prefix, or takes it away again.
#
#   install.sh PREFIX              what `make install PREFIX=...` calls after the build
#   install.sh uninstall PREFIX
#
# DESTDIR is put before every path that is written, and into none of them: everything installed
# finds its neighbours by its own place, so a tree may be moved as a whole.
# CARGO_TARGET_DIR says where the build left the library, as it does for cargo. Lines and types for
# debuggers, four fifths of its size, stay there; names stay in what is installed, for profilers and
# stack traces. STRIP names another `strip`; STRIP=true keeps everything.
set -eu
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

usage() {
    echo "usage: install.sh [uninstall] PREFIX" >&2
    exit 2
}

absolute() {
    case $1 in
        /*) printf '%s\n' "$1" ;;
        *) printf '%s/%s\n' "$PWD" "$1" ;;
    esac
}

# The names of the shared library: NAME is linked against, SONAME is loaded, REAL is the file.
name_libraries() {
    version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)
    [ -n "$version" ] || fail "no version in $root/Cargo.toml"
    major=${version%%.*}
    case $(uname -s) in
        Darwin)
            built=libmmsb.dylib real=libmmsb.$version.dylib
            soname=libmmsb.$major.dylib name=libmmsb.dylib
            ;;
        *)
            built=libmmsb.so real=libmmsb.so.$version
            soname=libmmsb.so.$major name=libmmsb.so
            ;;
    esac
}

# What a program that takes in libmmsb.a needs besides; `cargo rustc -- --print
# native-static-libs` says so.
static_libraries() {
    case $(uname -s) in
        Darwin) echo "-liconv -lSystem -lc -lm" ;;
        *) echo "-lgcc_s -lutil -lrt -lpthread -lm -ldl -lc" ;;
    esac
}

# Takes what only a debugger needs out of a library.
slim() { # FILE
    case $(uname -s) in
        Darwin) "${STRIP:-strip}" -S "$1" ;;
        *) "${STRIP:-strip}" --strip-debug "$1" ;;
    esac || fail "cannot strip $1; STRIP=true installs it as it is"
}

put_library() { # MODE FROM TO
    mkdir -p "$(dirname "$3")"
    cp "$2" "$3.slim"
    slim "$3.slim"
    put "$1" "$3.slim" "$3"
    rm -f "$3.slim"
}

put() { # MODE FROM TO
    mkdir -p "$(dirname "$3")"
    # Aside and renamed: a program that runs keeps the library that it has mapped.
    cp "$2" "$3.new"
    chmod "$1" "$3.new"
    mv -f "$3.new" "$3"
}

fill() { # FROM TO
    sed -e "s|@VERSION@|$version|g" -e "s|@SONAME@|$soname|g" -e "s|@REAL@|$real|g" \
        -e "s|@STATIC_LIBRARIES@|$(static_libraries)|g" \
        -e "s|@STATIC_LIST@|$(static_libraries | tr ' ' ';')|g" "$1" >"$filled"
    put 644 "$filled" "$2"
}

check_soname() {
    command -v readelf >/dev/null 2>&1 || return 0
    [ "$(uname -s)" != Darwin ] || return 0
    readelf -d "$target/$built" | grep -q "soname: \[$soname\]" ||
        fail "$target/$built does not call itself $soname"
}

do_install() {
    target=$(absolute "${CARGO_TARGET_DIR:-$root/target}")/release
    for file in "$built" libmmsb.a; do
        [ -f "$target/$file" ] || fail "$target/$file is missing: cargo build --release --lib"
    done
    check_soname
    filled=$(mktemp)
    trap 'rm -f "$filled"' EXIT

    put 644 "$root/include/mmsb.h" "$to/include/mmsb.h"
    put 644 "$here/mmsb.hpp" "$to/include/mmsb.hpp"
    put_library 755 "$target/$built" "$to/lib/$real"
    if [ "$(uname -s)" = Darwin ] && command -v install_name_tool >/dev/null 2>&1; then
        install_name_tool -id "@rpath/$soname" "$to/lib/$real"
    fi
    ln -sf "$real" "$to/lib/$soname"
    ln -sf "$soname" "$to/lib/$name"
    put_library 644 "$target/libmmsb.a" "$to/lib/libmmsb.a"
    fill "$here/mmsb.pc.in" "$to/lib/pkgconfig/mmsb.pc"
    fill "$here/cmake/mmsbConfig.cmake.in" "$to/lib/cmake/mmsb/mmsbConfig.cmake"
    fill "$here/cmake/mmsbConfigVersion.cmake.in" "$to/lib/cmake/mmsb/mmsbConfigVersion.cmake"
    echo "mmsb $version is installed in $to"
}

do_uninstall() {
    for file in include/mmsb.h include/mmsb.hpp "lib/$real" "lib/$soname" "lib/$name" \
        lib/libmmsb.a lib/pkgconfig/mmsb.pc lib/cmake/mmsb/mmsbConfig.cmake \
        lib/cmake/mmsb/mmsbConfigVersion.cmake; do
        rm -f "$to/$file"
    done
    # Only if nobody else has something there.
    for folder in lib/cmake/mmsb lib/cmake lib/pkgconfig; do
        rmdir "$to/$folder" 2>/dev/null || true
    done
    echo "mmsb is no longer installed in $to"
}

action=install
if [ "${1:-}" = uninstall ]; then
    action=uninstall
    shift
fi
[ $# -eq 1 ] || usage
case $1 in "" | -*) usage ;; esac
to=${DESTDIR:-}$(absolute "$1")
name_libraries
do_$action
