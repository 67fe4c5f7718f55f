# Entry points for common tasks. Each target only calls a CMake preset or a script in tools/.
.PHONY: run test test-fast check-all arm build core train deps lint tidy fuzz bench bench-quick bench-train format install clean help

JOBS ?= $(shell nproc)
PRESET ?= release
EFFNET := build/core/bin/effnet

help:  ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: ## Install missing packages, build, fetch a pretrained network, classify the example photographs
	@tools/install_deps build
	@$(MAKE) --no-print-directory core
	@tools/demo $(EFFNET)

test: ## Install missing packages, build with LibTorch, run all tests but the slow Python ones
	@tools/install_deps test
	@tools/run_tests release

test-fast: ## The C++ tests without LibTorch and without whole networks (less than a minute after the build)
	@tools/install_deps fast
	@tools/run_tests fast

check-all: ## All checks: slow tests too, both compilers, all sanitizers, 64-bit ARM, lint, tidy, fuzz
	@tools/install_deps all
	@EFFNET_SLOW=1 tools/run_tests release dev clang asan tsan aarch64
	@$(MAKE) --no-print-directory lint tidy fuzz

arm: ## Compile for 64-bit ARM and run the tests under QEMU
	@tools/install_deps arm
	@tools/run_tests aarch64

core: ## Build only the optimised binary: build/core/bin/effnet
	@cmake --preset core >/dev/null
	@cmake --build --preset core -j $(JOBS)

train: ## Like core, and effnet-train, which `effnet train` needs (installs LibTorch)
	@tools/install_deps train
	@cmake --preset train >/dev/null
	@cmake --build --preset train -j $(JOBS)

build: ## Build a preset with its tests: make build PRESET=dev
	@cmake --preset $(PRESET) >/dev/null
	@cmake --build --preset $(PRESET) -j $(JOBS)

deps: ## Install the Debian packages to build, test and check
	@tools/install_deps all

lint: ## Check format, lengths of files and functions, layers, that libraries do not print, and that all tests run
	@tools/lint

tidy: ## Run clang-tidy on the sources
	@tools/tidy

fuzz: ## Run every fuzz target for FUZZ_SECONDS (default 60)
	@tools/install_deps all
	@tools/fuzz $${FUZZ_SECONDS:-60}

bench: core ## Compare effnet with other engines, write docs/results/engine.md (20 minutes; a stopped run resumes)
	@tools/install_deps bench
	@bench/setup
	@bench/run $(BENCH_ARGS)

bench-quick: core ## The same for a few cases, write build/bench/quick.md (2 minutes)
	@tools/install_deps bench
	@bench/setup
	@bench/run --quick --again --starts 2 --results build/bench/quick.json --page build/bench/quick.md $(BENCH_ARGS)

bench-train: ## Compare training speed with LibTorch and PyTorch 2, write docs/results/training.md (10 minutes)
	@tools/install_deps all
	@bench/train/setup
	@cmake --preset release >/dev/null && cmake --build --preset release --target training_bench
	@python3 -m bench.train $(BENCH_ARGS)

format: ## Format the sources with clang-format
	@git ls-files '*.cc' '*.h' | xargs clang-format -i

install: ## Install the last build of core or train to PREFIX (default /usr/local)
	@[ -f build/core/build.ninja ] || $(MAKE) --no-print-directory core
	@cmake --build build/core -j $(JOBS)
	@cmake --install build/core --prefix $${PREFIX:-/usr/local}

clean: ## Remove build/
	@rm -rf build
