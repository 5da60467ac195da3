#!/bin/sh
# Everything that is tested of the C and C++ interface. Ends with "N passed, N failed, N skipped".
#
#   run-tests.sh            all of it, about a minute on two cores
#   run-tests.sh STEP...    of: install build native static snippets valgrind sanitize
#                           (install and build come first by themselves)
#
# The library is built by cargo in release mode and installed under a prefix of its own, twice: the
# tests are built against the installed tree, once by pkg-config and the shared library, once by
# CMake and the static one, by clang too where there is one. Then they run: as they are; under
# valgrind; with address and undefined-behaviour sanitizers in the C and C++ code. Everything lands
# in c-tests in the build folder (CARGO_TARGET_DIR, or target).
set -eu
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
case $target in /*) ;; *) target=$PWD/$target ;; esac
export CARGO_TARGET_DIR="$target"
export RUST_BACKTRACE=0 # a panic is a failed test; one line of it is enough
out=$target/c-tests
prefix=$out/moved
log=$out/log.txt
results=$out/results
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
limit=300 # seconds for one program: a test that hangs is a failed one

has() { command -v "$1" >/dev/null 2>&1; }

passed=0
failed=0
skipped=0

# Takes in a "N passed, N failed, N skipped"; anything else is a failure.
count() { # NAME LINE
    case $2 in
        *" passed, "*" failed, "*" skipped")
            # shellcheck disable=SC2086 # the words are the point
            set -- "$1" $2
            passed=$((passed + $2))
            failed=$((failed + $4))
            skipped=$((skipped + $6))
            ;;
        *) failed=$((failed + 1)) ;;
    esac
}

# Runs a command that passes or fails as a whole.
step() { # NAME COMMAND...
    name=$1
    shift
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
        echo "ok      $name"
    else
        failed=$((failed + 1))
        echo "FAILED  $name"
        sed 's/^/        /' "$log" | tail -n 40
    fi
}

# ------------------------------------------------------------------------------------- installing

files_of() { (cd "$1" && find . -type f -o -type l | sort); }

# Staged, it is the same tree; taken away, nothing stays.
check_staging() {
    DESTDIR=$out/staged "$here/install.sh" /opt/mmsb &&
        files_of "$prefix" >"$out/have" &&
        files_of "$out/staged/opt/mmsb" >"$out/staged.list" &&
        cmp "$out/have" "$out/staged.list" &&
        DESTDIR=$out/staged "$here/install.sh" uninstall /opt/mmsb &&
        [ -z "$(files_of "$out/staged")" ]
}

# What is installed has names, and nothing that only a debugger needs; STRIP=true leaves it in.
check_slim() {
    [ "$(uname -s)" != Darwin ] || return 0
    sections() { readelf --sections --wide "$1" | awk '{print $2, $3}'; }
    ! sections "$prefix/lib/libmmsb.so" | grep -q '\.debug_' || return 1
    sections "$prefix/lib/libmmsb.so" | grep -q '\.symtab' || return 1
    ! sections "$prefix/lib/libmmsb.a" | grep -q '\.debug_info' || return 1
    STRIP=true "$here/install.sh" "$out/whole" &&
        cmp "$out/whole/lib/libmmsb.so" "$target/release/libmmsb.so" &&
        ! STRIP=false "$here/install.sh" "$out/none" && rm -r "$out/whole"
}

# A program links and runs against the folder of the build, without an installation.
check_build_folder() {
    [ "$(uname -s)" != Darwin ] || return 0
    cc -I"$root/include" -o "$out/scratch/in-place" "$here/examples/quickstart.c" \
        -L"$target/release" -lmmsb &&
        LD_LIBRARY_PATH=$target/release "$out/scratch/in-place" >"$out/scratch/in-place.out"
}

# No file of the installed tree knows where it was installed or built.
check_relocatable() {
    ! grep -rl --include='*.pc' --include='*.cmake' --include='*.h*' -e "$out" -e "$root" "$prefix"
}

check_wrong_use() {
    for arguments in "" "-x" "a b" "uninstall"; do
        # shellcheck disable=SC2086 # the words are the point
        ! "$here/install.sh" $arguments || return 1
    done
    ! CARGO_TARGET_DIR=$out/nowhere "$here/install.sh" "$out/none"
}

install_all() {
    make -s -C "$root" build
    rm -rf "$out"
    mkdir -p "$results" "$out/scratch"
    step "install under a prefix" "$here/install.sh" "$out/first"
    mv "$out/first" "$prefix" # what is built below must find it there
    step "install again over it" "$here/install.sh" "$prefix"
    step "stage and uninstall" check_staging
    step "no path in the installed tree" check_relocatable
    step "install refuses wrong use" check_wrong_use
    step "installed without debug information" check_slim
    step "a program in the build folder" check_build_folder
    "$here/tests/symbols.sh" "$prefix" >"$log" || cat "$log"
    count symbols "$(tail -n 1 "$log")"
    echo "        names: $(tail -n 1 "$log")"
}

# --------------------------------------------------------------------------------------- building

by_make() { # FOLDER OUT [VARIABLE=VALUE...]
    folder=$1
    to=$2
    shift 2
    mkdir -p "$to"
    make -C "$here/$folder" -j"$jobs" OUT="$to" PKG_CONFIG_PATH="$prefix/lib/pkgconfig" "$@"
}

by_cmake() { # FOLDER OUT
    cmake -S "$here/$1" -B "$2" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=RelWithDebInfo &&
        cmake --build "$2" -j "$jobs"
}

build_all() {
    step "examples, pkg-config" by_make examples "$out/examples"
    step "examples, CMake" by_cmake examples "$out/examples-cmake"
    step "tests, pkg-config" by_make tests "$out/tests"
    step "tests, CMake" by_cmake tests "$out/tests-cmake"
    if has clang && has clang++; then
        step "examples, clang" by_make examples "$out/examples-clang" CC=clang CXX=clang++
        step "tests, clang" by_make tests "$out/tests-clang" CC=clang CXX=clang++
    else
        skipped=$((skipped + 2))
        echo "skipped clang: there is none"
    fi
    suites=$(make -s -C "$here/tests" list PKG_CONFIG_PATH="$prefix/lib/pkgconfig")
}

# ---------------------------------------------------------------------------------------- running

fast_scratch() {
    if [ -d /dev/shm ] && [ -w /dev/shm ]; then echo /dev/shm; else echo "$out/scratch"; fi
}

# Runs every suite in FOLDER behind a prefix of words, a few at a time, and counts what they say.
run_suites() { # TITLE FOLDER AT_A_TIME [WORDS...]
    title=$1
    folder=$2
    at_a_time=$3
    shift 3
    rm -f "$results"/*
    # Each writes its own file; the last line of that is its result, or it died.
    # shellcheck disable=SC2016 # the inner shell expands them
    echo "$suites" | tr ' ' '\n' | xargs -P "$at_a_time" -I '{}' sh -c '
        suite=$1 results=$2 folder=$3 limit=$4
        shift 4
        timeout "$limit" "$@" "$folder/$suite" >"$results/$suite" 2>&1
        code=$?
        [ "$code" -le 1 ] || echo "$suite ended with $code" >>"$results/$suite"
        exit 0
    ' sh '{}' "$results" "$folder" "$limit" "$@"
    for suite in $suites; do
        last=$(tail -n 1 "$results/$suite")
        count "$suite" "$last"
        case $last in
            *" 0 failed, 0 skipped") ;;
            *) sed "s/^/        $suite: /" "$results/$suite" ;;
        esac
    done
    echo "        $title: $passed passed, $failed failed, $skipped skipped so far"
}

same_output() { # what a program says does not depend on how it was built
    "$out/examples/$1" >"$out/one" && "$2" >"$out/two" && cmp "$out/one" "$out/two"
}

# Each build makes a state of its own; what both say is the same.
check_derived() {
    rm -rf "$out/scratch/house" "$out/scratch/house-cmake"
    "$out/examples/derived" "$out/scratch/house" >"$out/one" &&
        "$out/examples-cmake/derived" "$out/scratch/house-cmake" >"$out/two" &&
        cmp "$out/one" "$out/two" && grep -q '^worst: hour 22 takes 31.0 degrees$' "$out/one" &&
        exits 2 "$out/examples/derived"
}

# A state's directory is made by the snippets; sound, and damaged in the middle of its log.
check_summarise() {
    summarise=$out/examples/summarise
    state=$out/scratch/guide/thermostat.state
    "$summarise" "$state" >"$out/summary" || return 1
    grep -q '^digest       [0-9a-f]\{64\}$' "$out/summary" || return 1
    grep -q '^sources      ' "$out/summary" || return 1
    "$out/examples/summarise_static" --quiet "$state" | cmp - "$out/summary" || return 1
    exits 2 "$summarise" || return 1
    exits 2 "$summarise" --no "$state" || return 1
    exits 2 "$summarise" a b || return 1
    exits 3 "$summarise" "$out/nowhere" || return 1
    exits 3 "$summarise" "$out/examples" || return 1
    cp -r "$state" "$out/scratch/damaged"
    printf 'XXXX' | dd of="$out/scratch/damaged/0000000000000001.log" bs=1 seek=4200 conv=notrunc \
        2>/dev/null
    exits 1 "$summarise" "$out/scratch/damaged"
}

exits() { # CODE COMMAND...
    want=$1
    shift
    code=0
    "$@" >/dev/null || code=$?
    [ "$code" -eq "$want" ] || {
        echo "$* ended with $code, not $want"
        return 1
    }
}

run_native() {
    export MMSB_TEST_DIR="$out/scratch"
    step "header, C11" "$out/tests/header"
    step "header, C++17" "$out/tests/header_cpp"
    step "quickstart, C" same_output quickstart "$out/examples-cmake/quickstart"
    step "quickstart, C++" same_output quickstart_cpp "$out/examples-cmake/quickstart_cpp"
    step "derived pages, C" check_derived
    run_suites "shared library" "$out/tests" 1
}

run_static() {
    MMSB_TEST_DIR=$(fast_scratch)
    export MMSB_TEST_DIR
    run_suites "static library" "$out/tests-cmake" 1
}

# The guide's snippets compile without a warning and run without an error.
snippet_programs() {
    "$here/tests/snippets.sh" "$root/docs/c.md" c >"$out/guide.c" &&
        "$here/tests/snippets.sh" "$root/docs/c.md" cpp >"$out/guide.cpp" &&
        cc -std=c11 -Wall -Wextra -Wpedantic -Werror "$out/guide.c" -I"$prefix/include" \
            -L"$prefix/lib" -lmmsb -Wl,-rpath,"$prefix/lib" -o "$out/guide_c" &&
        c++ -std=c++17 -Wall -Wextra -Wpedantic -Werror "$out/guide.cpp" -I"$prefix/include" \
            -L"$prefix/lib" -lmmsb -Wl,-rpath,"$prefix/lib" -o "$out/guide_cpp"
}

in_scratch() {
    mkdir -p "$out/scratch/guide" && cd "$out/scratch/guide" && "$@"
}

run_snippets() {
    rm -rf "$out/scratch/guide" "$out/scratch/damaged"
    step "guide's snippets compile" snippet_programs
    step "guide's snippets run, C" in_scratch "$out/guide_c"
    step "guide's snippets run, C++" in_scratch "$out/guide_cpp"
    step "summarise" check_summarise
}

# Definite and possible leaks are errors, and so is every read of what nobody wrote. Programs that
# the tests start are watched, too.
run_valgrind() {
    if ! has valgrind; then
        skipped=$((skipped + 1))
        echo "skipped valgrind: there is none"
        return
    fi
    MMSB_TEST_DIR=$(fast_scratch)
    export MMSB_TEST_DIR
    export MMSB_TEST_SLOW=1
    run_suites "valgrind" "$out/tests" "$jobs" \
        valgrind --quiet --error-exitcode=99 --trace-children=yes --child-silent-after-fork=yes \
        --leak-check=full --show-leak-kinds=definite,indirect,possible \
        --errors-for-leak-kinds=definite,indirect,possible --fair-sched=yes
    unset MMSB_TEST_SLOW
}

run_sanitized() {
    flags="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
    step "tests, sanitized" by_make tests "$out/tests-sanitized" CFLAGS="$flags" CXXFLAGS="$flags"
    MMSB_TEST_DIR=$(fast_scratch)
    export MMSB_TEST_DIR
    ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99 \
        UBSAN_OPTIONS=print_stacktrace=1 \
        run_suites "sanitizers" "$out/tests-sanitized" 1
}

# ------------------------------------------------------------------------------------------- main

steps=${*:-native static snippets valgrind sanitize}
"$here/setup.sh"
install_all
build_all
for each in $steps; do
    case $each in
        install | build) ;;
        native) run_native ;;
        static) run_static ;;
        snippets) run_snippets ;;
        valgrind) run_valgrind ;;
        sanitize) run_sanitized ;;
        *)
            echo "run-tests.sh: no step $each" >&2
            exit 2
            ;;
    esac
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
