#!/bin/sh
# Makes programs of a guide's code blocks.
#
#   snippets.sh GUIDE c|cpp >program
#
# A block that begins with three backquotes and the language is the body of a function, which is
# called with `state`, an open state in memory, and `page`, a page of it with 64 bytes. A block
# marked `text` or anything else is left alone.
set -eu

guide=$1
language=$2

case $language in
    c)
        cat <<'C'
#include <mmsb.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(MmsbStatus status) {
    if (status != MMSB_STATUS_OK) {
        fprintf(stderr, "error %d: %s\n", (int)status, rust_error_message());
        exit(1);
    }
}

C
        arguments='MmsbState state, MmsbPage page'
        ;;
    cpp)
        cat <<'CPP'
#include <mmsb.hpp>

#include <cstdio>
#include <iostream>

CPP
        arguments='mmsb::State &state, mmsb::Page page'
        ;;
    *)
        echo "snippets.sh: no language $language" >&2
        exit 2
        ;;
esac

awk -v language="$language" -v arguments="$arguments" '
    $0 == "```" language {
        inside = 1
        printf "static void snippet_%d(%s) {\n    (void)state;\n    (void)page;\n", ++count, arguments
        next
    }
    inside && $0 == "```" { inside = 0; print "}\n"; next }
    inside { print }
    END {
        print "int main(void) {"
        for (i = 1; i <= count; i++) {
            if (language == "c") {
                print "    {"
                print "        MmsbState state;"
                print "        MmsbPage page;"
                print "        must(rust_state_open(NULL, &state));"
                print "        must(rust_page_create(state, 64, MMSB_LOCATION_CPU, NULL, &page));"
                printf "        snippet_%d(state, page);\n", i
                print "        must(rust_state_close(&state));"
                print "    }"
            } else {
                print "    {"
                print "        auto state = mmsb::State::memory();"
                print "        auto page = state.create_page(64);"
                printf "        snippet_%d(state, page);\n", i
                print "    }"
            }
        }
        printf "    return %d == 0;\n}\n", count
    }
' "$guide"
