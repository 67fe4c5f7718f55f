# One door for work. Everything here is a thin word for a CMake preset or a script in tools/.
.PHONY: run test test-fast check-all arm build core train deps lint tidy fuzz bench bench-quick bench-train format install clean help

JOBS ?= $(shell nproc)
PRESET ?= release
EFFNET := build/core/bin/effnet

help:  ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: ## Install what is missing, build, fetch a pretrained network, classify the example photographs
	@tools/install_deps build
	@$(MAKE) --no-print-directory core
	@tools/demo $(EFFNET)

test: ## Install what is missing; release build with every test but the slow Python ones, and the core under the sanitizers
	@tools/install_deps test
	@tools/run_tests release asan

test-fast: ## The C++ tests without LibTorch and without whole networks (under a minute once it is built)
	@tools/install_deps fast
	@tools/run_tests fast

check-all: ## Before an issue is closed: slow tests too, both compilers, all sanitizers, 64-bit ARM, lint, tidy, fuzz
	@tools/install_deps all
	@EFFNET_SLOW=1 tools/run_tests release dev clang asan tsan aarch64
	@$(MAKE) --no-print-directory lint tidy fuzz

arm: ## Compile for 64-bit ARM, and run its tests under QEMU
	@tools/install_deps arm
	@tools/run_tests aarch64

core: ## The binary alone, optimised: build/core/bin/effnet
	@cmake --preset core >/dev/null
	@cmake --build --preset core -j $(JOBS)

train: ## What run builds, and effnet-train beside it (installs LibTorch): effnet train works then
	@tools/install_deps train
	@cmake --preset train >/dev/null
	@cmake --build --preset train -j $(JOBS)

build: ## A preset with its tests: make build PRESET=dev
	@cmake --preset $(PRESET) >/dev/null
	@cmake --build --preset $(PRESET) -j $(JOBS)

deps: ## Debian packages to build, test and check
	@tools/install_deps all

lint: ## Format, lengths of files and functions, layers, prints of libraries, registered tests
	@tools/lint

tidy: ## clang-tidy over every source
	@tools/tidy

fuzz: ## Every fuzz target, FUZZ_SECONDS each (default 60)
	@tools/install_deps all
	@tools/fuzz $${FUZZ_SECONDS:-60}

bench: core ## effnet and its rivals side by side, into docs/results/engine.md (20 minutes; resumes where it was stopped)
	@tools/install_deps bench
	@bench/setup
	@bench/run $(BENCH_ARGS)

bench-quick: core ## The same for a few cases, into build/bench/quick.md (2 minutes)
	@tools/install_deps bench
	@bench/setup
	@bench/run --quick --again --starts 2 --results build/bench/quick.json --page build/bench/quick.md $(BENCH_ARGS)

bench-train: ## Training speed beside LibTorch and PyTorch 2, into docs/results/training.md (10 minutes)
	@tools/install_deps all
	@bench/train/setup
	@cmake --preset release >/dev/null && cmake --build --preset release --target training_bench
	@python3 -m bench.train $(BENCH_ARGS)

format: ## clang-format in place
	@git ls-files '*.cc' '*.h' | xargs clang-format -i

install: ## What was built last, by core or train, to PREFIX (default /usr/local)
	@[ -f build/core/build.ninja ] || $(MAKE) --no-print-directory core
	@cmake --build build/core -j $(JOBS)
	@cmake --install build/core --prefix $${PREFIX:-/usr/local}

clean: ## Remove build/
	@rm -rf build
