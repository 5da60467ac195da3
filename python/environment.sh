# Makes a Python environment with the package mmsb in it, and nothing twice. Sourced by scripts that
# stand in the repository's root:
#
#   . python/environment.sh
#   make_environment FOLDER          afterwards $env is the folder and $bin holds its programs
#   once NAME INPUTS COMMAND...      runs a command unless its inputs are as when it last succeeded
#   install_package ./python[EXTRA]  builds the package into the environment, with what it needs
#
#   PYTHON            the Python to use (default python3), 3.11 or newer
#   CARGO_TARGET_DIR  where cargo builds (default target)
# shellcheck shell=sh

root=$(pwd)
case ${CARGO_TARGET_DIR:-target} in # as a whole path: pip builds in another folder
/*) ;;
*) export CARGO_TARGET_DIR="$root/${CARGO_TARGET_DIR:-target}" ;;
esac
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1

fail() {
    echo "$0: $*" >&2
    exit 1
}

need() { # PROGRAM ADVICE
    command -v "$1" >/dev/null 2>&1 || fail "$1 is missing: $2"
}

# One number for the content of files and folders.
digest() {
    find "$@" -type f ! -name '*.pyc' ! -name '*.so' ! -path '*/target/*' -exec cksum {} + |
        sort -k 3 | cksum
}

once() { # NAME INPUTS COMMAND...
    stamp=$env/$1.stamp
    now=$2
    shift 2
    if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$now" ]; then
        rm -f "$stamp"
        "$@"
        echo "$now" >"$stamp"
    fi
}

make_environment() { # FOLDER
    python=${PYTHON:-python3}
    need cargo "install Rust, https://rustup.rs"
    need cc "install a C compiler (apt-get install gcc)"
    need "$python" "install Python 3.11 or newer"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$("$python" --version) is too old: 3.11 or newer is needed"
    mkdir -p "$1"
    env=$(cd "$1" && pwd)
    bin=$env/bin
    "$bin/python" -m pip --version >/dev/null 2>&1 || fresh_environment
    PATH=$bin:$PATH # the build finds maturin there
}

# Debian's Python makes no environment with pip in it unless python3-venv is installed, but its
# pip can put a pip into an environment that has none.
fresh_environment() {
    rm -rf "$env"
    log=$("$python" -m venv "$env" 2>&1) && return
    rm -rf "$env"
    log=$log$({ "$python" -m venv --without-pip "$env" &&
        "$python" -m pip --python "$bin/python" install --quiet pip; } 2>&1) && return
    rm -rf "$env"
    printf '%s\n' "$log" >&2
    fail "$python can make no environment: install python3-venv (apt-get install python3-venv)"
}

# What the package is made of.
package_digest() {
    digest rust build.rs Cargo.toml Cargo.lock bindings/python python/mmsb python/pyproject.toml
}

install_package() { # ./python[EXTRA]
    once maturin 1 pip_install 'maturin>=1.14,<2'
    once package "$(package_digest)" build_package "$1"
}

# Without isolation: the build finds the same maturin each time, and nothing is fetched for it.
build_package() {
    echo "building the Python package mmsb"
    pip_install --no-build-isolation "$1"
}

pip_install() {
    "$bin/python" -m pip install --quiet "$@" || fail "pip could not install $*"
}
