# `make demo` and `make test` need nothing typed before them: each makes .venv, installs and builds what is missing.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JS_SOURCES := $(shell find js -type f -not -path 'js/node_modules/*' 2>/dev/null)
BUNDLE := graphlens/static/graphlens.js
export OMP_NUM_THREADS ?= 2
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test lint format bench fuzz compat setup browser test-python test-js test-notebooks test-browser clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "graphlens needs Python 3.11 or later; call make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	GRAPHLENS_SKIP_JS=1 $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

js/node_modules/.installed: js/package-lock.json
	@command -v npm >/dev/null || { echo "graphlens needs Node 20 with npm to build its front end"; exit 1; }
	cd js && npm ci --no-fund --no-audit --loglevel=error
	@touch $@

$(BUNDLE): $(JS_SOURCES) js/node_modules/.installed
	cd js && npm run --silent build
	@touch $@

setup: $(VENV)/.installed $(BUNDLE) ## make .venv, install, build the front end

demo: setup ## run the main job on two real models and write one HTML report
	$(BIN)/python -m graphlens.demo

test: setup browser lint test-js test-python test-notebooks test-browser ## everything: lint, TypeScript, Python, notebooks, browser

test-python: setup
	$(BIN)/python -m pytest tests --ignore=tests/browser -q -n 2 --dist loadscope

test-js: setup
	cd js && npm test --silent

test-notebooks: setup
	$(BIN)/python -m pytest --nbmake notebooks -q -p no:randomly --override-ini addopts=

test-browser: setup browser
	GRAPHLENS_REQUIRE_BROWSER=1 $(BIN)/python -m pytest tests/browser -q

browser: ## make sure that there is a Chromium (installs Debian's where it may)
	@bash tools/browser.sh

lint: setup ## ruff, mypy strict, import-linter, tsc, biome
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	cd js && npm run --silent check && npm run --silent lint

format: setup ## let the formatters write
	$(BIN)/ruff check --fix . || true
	$(BIN)/ruff format .
	cd js && npm run --silent format

bench: setup ## print ratios against what one would use instead
	$(BIN)/python benchmarks/run.py

fuzz: setup ## mutate archives for a long time
	$(BIN)/python tests/hostile/fuzz_archive.py

compat: setup ## run the public API and NativeRT on torch 2.9.1 in a venv of its own
	bash tools/compat.sh

clean: ## remove what was built
	rm -rf $(VENV) js/node_modules graphlens/static dist build out .mypy_cache .ruff_cache
