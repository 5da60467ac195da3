#!/bin/sh
# The names of the header, of the shared library and of these tests are the same.
#
#   symbols.sh PREFIX      where mmsb is installed
#
# - Every function of mmsb.h is exported, and nothing else: programs can call what is declared, and
#   no name of the inside can get in the way of theirs.
# - Every function is called by a C test, and by the C++ wrapper.
set -eu
export LC_ALL=C

prefix=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
passed=0

# Says what is in the first list and not in the second.
only_in() {
    if comm -23 "$1" "$2" | grep . >"$work/rest"; then
        sed "s/^/    $3: /" "$work/rest"
        failed=$((failed + 1))
    else
        passed=$((passed + 1))
    fi
}

# Comments name functions, too: they are taken out first.
sed -e 's|/\*.*\*/||' -e '/\/\*/,/\*\//d' "$prefix/include/mmsb.h" |
    grep -oE '\brust_[a-z0-9_]+\(' | tr -d '(' | sort -u >"$work/declared"
case $(uname -s) in
    Darwin) nm -gU "$prefix/lib/libmmsb.dylib" | awk '{print $3}' | sed 's/^_//' ;;
    *) nm -D --defined-only "$prefix/lib/libmmsb.so" | awk '{print $3}' ;;
esac | sed 's/@.*//' | sort -u >"$work/exported"
cat "$here"/*.c | grep -oE '\brust_[a-z0-9_]+' | sort -u >"$work/tested"
{
    grep -oE '\brust_[a-z0-9_]+' "$here/../mmsb.hpp"
    echo rust_error_count # rows are asked for until there are no more
} | sort -u >"$work/wrapped"

[ "$(wc -l <"$work/declared")" -gt 50 ] || { echo "    no functions in the header"; failed=1; }
only_in "$work/declared" "$work/exported" "declared but not exported"
only_in "$work/exported" "$work/declared" "exported but not declared"
only_in "$work/declared" "$work/tested" "declared but not tested"
only_in "$work/declared" "$work/wrapped" "declared but not in the wrapper"
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
