# The two commands a newcomer needs: make demo, make test. The rest: make help.
.DEFAULT_GOAL := help
.PHONY: help demo test build setup debug asan tsan aarch64 wasm bench format lint install clean
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
PREFIX ?= /usr/local
ROUNDS ?= 5
FOVEA_C = $(shell git ls-files '*.c' '*.h')

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup build/build.ninja ## train a mood classifier and a finger counter on drawn pictures
	cmake --build build --target fovea_cli -j $(JOBS)
	build/fovea demo --out build/demo

test: build ## build everything and run every test
	ctest --preset release -j $(JOBS)
	@tools/skipped.sh build

build: setup build/build.ninja ## build the library, the command, the tests and the examples
	cmake --build build -j $(JOBS)

setup: ## install what is missing to build (Debian packages)
	@tools/setup.sh

# Configure once; after that, ninja itself notices when a CMake file changes.
build/build.ninja:
	cmake --preset release
build-%/build.ninja:
	cmake --preset $*

debug asan tsan aarch64 wasm: %: build-%/build.ninja
	cmake --build --preset $@ -j $(JOBS)
	ctest --preset $@ -j $(JOBS)
	@tools/skipped.sh build-$@
debug: ## build with asserts and run every test
asan: ## the same under clang's address and undefined-behaviour sanitizers
tsan: ## the threaded tests under clang's thread sanitizer
aarch64: ## the kernels' tests for 64-bit ARM, under qemu (tools/setup.sh --cross)
wasm: ## the kernels' tests for WebAssembly, under node (likewise)

bench: setup build/build.ninja ## time every kernel, then networks and layers against others (ROUNDS=5)
	cmake --build build --target bench fovea_cli -j $(JOBS)
	build/bench
	tools/bench_peers.py --rounds $(ROUNDS)

format: ## lay out every C file
	clang-format -i $(FOVEA_C)

lint: build/build.ninja ## check layout and run clang-tidy
	clang-format --dry-run -Werror $(FOVEA_C)
	cmake --build build --target embed_recipes
	run-clang-tidy -quiet -p build -j $(JOBS) '/(src|examples)/'

install: build ## install under PREFIX (/usr/local)
	cmake --install build --prefix $(PREFIX)
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" = 0 ]; then ldconfig; fi

clean: ## remove what was built
	rm -rf build build-*
