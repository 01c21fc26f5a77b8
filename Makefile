# What people and CI run. On a fresh machine `make demo` and `make test` do all the set-up.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SYMBOL ?= QQQ
DAYS ?= 5
FUZZ_SECONDS ?= 60
BITS_REQUIRE ?=
# Peers of make bench alone: their licences (AGPL, GPL, Apache with the Commons Clause) are no extra's of an MIT package.
SIMULATORS := backtesting backtrader vectorbt
# A regular file stands for "the packages of this list are installed", so that a second run starts at once.
INSTALLED := $(VENV)/.installed
SOURCES := $(shell find cpp python cmake CMakeLists.txt pyproject.toml train_models.py -type f -not -path '*/__pycache__/*' -not -path '*/.mypy_cache/*')

export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help install demo test ctest pytest chromium asan fuzz lint tidy format docs bits bits-golden bench clean

help:  ## Say what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

install: $(INSTALLED)  ## Create .venv and install everything into it

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# What builds the rooms without Torch.
$(VENV)/.tools: $(BIN)/python cmake/system_packages.sh cmake/apt_install.sh
	sh cmake/system_packages.sh
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet 'cmake>=3.25,<4' ninja 'nlohmann-json>=3.11'
	touch $@

# The build's own needs come first, so that LibTorch is unpacked once and not again for an isolated build.
$(VENV)/.needs: $(VENV)/.tools
	$(BIN)/python -m pip install --quiet torch==2.13.0 'scikit-build-core>=0.10' 'pybind11>=2.13'
	touch $@

$(INSTALLED): $(VENV)/.needs $(SOURCES)
	$(BIN)/python -m pip install --quiet --no-build-isolation '.[dev,export,parquet,report,sweep,track]'
	touch $@

demo: install  ## Bars, training, backtest: make demo, or make demo BARS=file.csv SYMBOL=SPY
	sh examples/demo.sh '$(SYMBOL)' '$(DAYS)' '$(BARS)'

test: ctest asan pytest  ## All tests

ctest: $(VENV)/.tools
	cmake --preset core --log-level=WARNING
	cmake --build --preset core
	ctest --preset core

pytest: install
	$(BIN)/python -m pytest

chromium:  ## Install Chromium, where Debian packages it, for the tests of report pages
	sh cmake/apt_install.sh chromium

asan: $(VENV)/.tools  ## The C++ tests under the address and undefined-behaviour sanitizers (minutes)
	cmake --preset asan --log-level=WARNING
	cmake --build --preset asan --target sentio_tests fuzz_artifact fuzz_csv fuzz_spec fuzz_state fuzz_stream
	ctest --preset asan

# What libFuzzer finds stays in build-fuzz/corpus, and the next run goes on from there.
fuzz: $(VENV)/.tools  ## Fuzz each reader for FUZZ_SECONDS, with clang's libFuzzer if there is one
	cmake --preset asan -B build-fuzz --log-level=WARNING \
	  $(if $(shell command -v clang++),-DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++)
	cmake --build build-fuzz --target fuzz_artifact fuzz_csv fuzz_spec fuzz_state fuzz_stream
	for target in artifact csv spec state stream; do \
	  mkdir -p build-fuzz/corpus/$$target && \
	  build-fuzz/tests/fuzz/fuzz_$$target -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=build-fuzz/$$target- \
	    build-fuzz/corpus/$$target tests/fuzz/corpus/$$target configs/features || exit 1; \
	done

lint: install  ## Style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	find cpp tests benchmarks examples -name '*.?pp' | xargs $(BIN)/clang-format --dry-run --Werror

tidy: install  ## clang-tidy over the rooms without Torch (minutes)
	cmake --preset core -B build-tidy --log-level=WARNING -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON
	find cpp -name '*.cpp' -not -path 'cpp/inference/*' -not -path 'cpp/bindings/*' \
	  | xargs -n 4 -P 2 $(BIN)/clang-tidy --quiet -p build-tidy

format: install  ## Format all code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	find cpp tests benchmarks examples -name '*.?pp' | xargs $(BIN)/clang-format -i

docs: install  ## Write docs/ops.md and docs/metrics.md from the registries
	$(BIN)/python docs/make_ops.py
	$(BIN)/python docs/make_metrics.py

bits: $(VENV)/.tools  ## Compare the features' bits across compilers, flags and processors (minutes)
	sh cmake/bits_packages.sh
	$(BIN)/python tests/bits/run.py --require='$(BITS_REQUIRE)'

bits-golden: $(VENV)/.tools  ## Write tests/golden/bits.txt anew, after a feature was meant to change
	$(BIN)/python tests/bits/run.py --renew

bench: install  ## Time features, CSV, backtests, training and inference beside others (minutes), and write benchmarks/results.md
	sh cmake/system_packages.sh libbenchmark-dev
	$(BIN)/python -m pip install --quiet 'sentio[bench]' $(SIMULATORS)
	cmake --preset bench --log-level=WARNING
	cmake --build --preset bench
	$(BIN)/python -m benchmarks.run

clean:  ## Remove what was built
	rm -rf build build-* $(INSTALLED)
