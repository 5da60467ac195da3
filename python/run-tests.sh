#!/bin/sh
# Builds the Python package into an environment of its own and tests it.
#
#   python/run-tests.sh [arguments of pytest]
#
# The environment stands in ${MMSB_BUILD:-build}/py below the repository's root; python/environment.sh
# says what it takes to make it.
set -eu

cd "$(dirname "$0")/.."
. python/environment.sh
make_environment "${MMSB_BUILD:-build}/py"
install_package './python[test]'

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
