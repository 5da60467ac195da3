#!/bin/sh
# Builds the Python package into an environment of its own and tests it.
#
#   python/run-tests.sh [arguments of pytest]
#
# The environment stands in ${MMSB_BUILD:-build}/py below the repository's root. Nothing is built
# or installed again while nothing that it is made of has changed.
set -eu

cd "$(dirname "$0")/.."
root=$(pwd)
case ${MMSB_BUILD:-build} in
/*) env=${MMSB_BUILD}/py ;;
*) env=$root/${MMSB_BUILD:-build}/py ;;
esac
bin=$env/bin
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target/python}"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1

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

install_builder() {
    "$bin/python" -m pip install --quiet 'maturin>=1.14,<2'
}

install_package() {
    "$bin/python" -m pip install --quiet --no-build-isolation './python[test]'
}

[ -x "$bin/python" ] || "${PYTHON:-python3}" -m venv "$env"
once builder 1 install_builder
PATH=$bin:$PATH
once package "$(digest rust Cargo.toml build.rs bindings/python python/mmsb python/pyproject.toml)" \
    install_package

cd python
"$bin/ruff" check --quiet --no-cache .
"$bin/ruff" format --quiet --no-cache --check .
(cd "$env" && "$bin/python" -m mypy.stubtest mmsb --concise --ignore-unused-allowlist \
    --allowlist "$root/python/tests/stubtest-allowlist.txt")
"$bin/python" -m mypy --cache-dir "$env/mypy" tests
# From elsewhere, so that the package that is installed is the one that is tested.
cd "$env"
exec "$bin/python" -W error -m pytest -c "$root/python/pyproject.toml" --rootdir "$root/python" \
    "$@" "$root/python/tests"
