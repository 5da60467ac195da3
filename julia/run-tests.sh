#!/bin/sh
# Finds a Julia, builds the library, runs the package's tests with two threads.
# Prints the test summary and, last, `N passed, N failed`. Exit status 0 if none failed.
#   JULIA, JULIA_PREFIX   as for setup.sh
#   CARGO_TARGET_DIR      where cargo builds (default: target in the project's root)
#   MMSB_LIBRARY          test this library and build nothing
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
julia=$(sh "$here/setup.sh")
julia=$(printf '%s\n' "$julia" | tail -n 1)
if [ -z "${MMSB_LIBRARY:-}" ]; then
  target=${CARGO_TARGET_DIR:-$root/target}
  (cd "$root" && cargo build --release --lib --quiet)
  case $target in /*) ;; *) target=$root/$target ;; esac
  MMSB_LIBRARY=$target/release/libmmsb.so
fi
export MMSB_LIBRARY
exec "$julia" --startup-file=no --project="$here" -t 2 "$here/test/runtests.jl" "$@"
