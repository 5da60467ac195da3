# MMSB: one command each. `make help` lists them.
#
#   MMSB_BUILD        where builds, environments and demos go (default: build)
#   CARGO_TARGET_DIR  where cargo builds (default: target)

CARGO ?= cargo
PREFIX ?= /usr/local
ROOM ?= page
FILTER ?=
SEEDS ?= $(if $(SEED),1,100000)
SEED ?=
FAULTS ?=
KILLS ?= 200
OPS ?= 400000
IMAGES ?= 20000
INPUTS ?= 1000000
HEAP_OPS ?= 100000000
PAGES ?= 1000000
TARGET ?= recovery
SECONDS ?= 60
MMSB_BUILD ?= build

# Tools that cargo does not bring, pinned; each is installed when it is first needed, in minutes.
DENY_VERSION = 0.20.2
DENY_ROOT = $(MMSB_BUILD)/cargo-deny-$(DENY_VERSION)
DENY = $(DENY_ROOT)/bin/cargo-deny
FUZZ_VERSION = 0.13.2
FUZZ_ROOT = $(MMSB_BUILD)/cargo-fuzz-$(FUZZ_VERSION)
FUZZ = $(FUZZ_ROOT)/bin/cargo-fuzz

.PHONY: help build test test-rust test-c test-julia test-python demo bench criterion check lint deny \
        crash canaries graph slab-alloc fuzz fuzz-coverage loom header install uninstall clean

help:
	@sed -n 's/^## //p' Makefile

## make demo               the main job on real data: flights streamed, killed, recovered, replayed
demo:
	sh demo/run.sh

## make test               all tests: Rust, C and C++, Julia, Python (sets everything up itself)
test: test-rust test-c test-julia test-python

## make test-rust          unit, behaviour, model, crash and header tests; documented examples
test-rust:
	$(CARGO) test --quiet

## make test-c             installs into a build folder; C and C++ tests, valgrind, AddressSanitizer
test-c: build
	sh bindings/c/run-tests.sh

## make test-julia         finds or fetches a Julia; the package's tests
test-julia: build
	sh julia/run-tests.sh

## make test-python        builds the wheel into an environment; pytest and stubtest
test-python:
	sh python/run-tests.sh

## make build              the shared and static library, optimised
build:
	$(CARGO) build --release --lib
	@cd $${CARGO_TARGET_DIR:-target}/release && \
	    if [ -f libmmsb.so ]; then ln -sf libmmsb.so libmmsb.so.0; fi

## make bench ROOM=page    measures a room against its peers, one line per row
bench:
	@cd benches/peers && $(CARGO) build --release --quiet
	@cd benches/peers && $(CARGO) run --release --quiet -- $(ROOM)

## make criterion FILTER=… single calls of the Rust interface, for comparing two versions of it
criterion:
	$(CARGO) bench --quiet --bench page --bench log --bench checkpoint --bench state -- $(FILTER)

## make check              format, lints, header drift, licences and origins, schedules under loom
check: lint deny
	$(CARGO) test --quiet --test header
	$(MAKE) loom

## make lint               format and lints of the engine and the Python module
lint:
	$(CARGO) fmt --all --check
	cd benches/peers && $(CARGO) fmt --check
	cd fuzz && $(CARGO) fmt --check
	$(CARGO) clippy --workspace --all-targets --quiet -- -D warnings

# What is needed from elsewhere, and under which licences: deny.toml.
deny: $(DENY)
	for crate in . benches/peers fuzz; do \
	    $(DENY) --log-level error --config deny.toml --locked --manifest-path $$crate/Cargo.toml \
	        check bans licenses sources || exit; \
	done

$(DENY):
	$(CARGO) install --quiet --locked --root $(DENY_ROOT) cargo-deny@$(DENY_VERSION)

## make loom               explores thread schedules of the log's clock
loom:
	RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=$${CARGO_TARGET_DIR:-target}/loom \
	    $(CARGO) test --quiet --lib loom_

## make crash SEEDS=100000 [SEED=…] [FAULTS=…]   many simulated lives over a hostile disk; with a SEED
##                         nothing else, and else the long form of the crash and model tests:
##      KILLS=200          SIGKILLs, random histories (OPS=…), images of a power cut (IMAGES=…)
# The simulation in the profile of the tests, which has debug assertions.
crash:
	MMSB_SEEDS=$(SEEDS) MMSB_SEED=$(SEED) MMSB_FAULTS=$(FAULTS) \
	    $(CARGO) test --test simulation seeds -- --nocapture
	$(if $(SEED),,MMSB_KILLS=$(KILLS) MMSB_OPS=$(OPS) MMSB_IMAGES=$(IMAGES) \
	    $(CARGO) test --release --test crash --test model)

## make canaries           mistakes that the engine is made to make: simulation must find each
canaries:
	RUSTFLAGS="--cfg canaries" CARGO_TARGET_DIR=$${CARGO_TARGET_DIR:-target}/canaries \
	    $(CARGO) test --test simulation --test crash --test serial canaries -- --nocapture

## make graph PAGES=1000000   a graph of so many pages and ten times as many edges: times, memory
graph:
	MMSB_GRAPH_PAGES=$(PAGES) $(CARGO) test --release --test behaviour large_graph -- --nocapture

## make slab-alloc         the Rust tests with the engine's heap as their allocator; the long form of
##      HEAP_OPS=…         the heap's own tests
slab-alloc:
	RUSTFLAGS="--cfg slab_alloc" CARGO_TARGET_DIR=$${CARGO_TARGET_DIR:-target}/slab_alloc \
	    $(CARGO) test --quiet --lib --tests
	MMSB_HEAP_OPS=$(HEAP_OPS) $(CARGO) test --release --lib memory::tests

## make fuzz INPUTS=1000000   every fuzz target, from numbered inputs
fuzz:
	MMSB_FUZZ=$(INPUTS) $(CARGO) test --release --test fuzz

## make fuzz-coverage TARGET=recovery SECONDS=60   libFuzzer on one of them; needs a nightly Rust
fuzz-coverage: $(FUZZ)
	mkdir -p $(MMSB_BUILD)/fuzz/$(TARGET)
	RUSTUP_TOOLCHAIN=nightly ASAN_OPTIONS=allocator_may_return_null=1 \
	    $(FUZZ) run --fuzz-dir fuzz $(TARGET) \
	        $(abspath $(MMSB_BUILD)/fuzz/$(TARGET) rust/tests/fuzz/seeds/$(TARGET)) -- \
	        -max_total_time=$(SECONDS) -timeout=20 -rss_limit_mb=6000 -malloc_limit_mb=100000000

$(FUZZ):
	$(CARGO) install --quiet --locked --root $(FUZZ_ROOT) cargo-fuzz@$(FUZZ_VERSION)

## make header             writes include/mmsb.h anew from rust/ffi
header:
	MMSB_WRITE_HEADER=1 $(CARGO) test --quiet --test header

## make install PREFIX=…   library, header, pkg-config and CMake files
install: build
	sh bindings/c/install.sh $(PREFIX)

uninstall:
	sh bindings/c/install.sh uninstall $(PREFIX)

clean:
	$(CARGO) clean
	rm -rf $(MMSB_BUILD)
