# immunos-tui: everything that is done to this repository. `make help` lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := setup
MAKEFLAGS += --no-builtin-rules --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made-from-lock
BENCH_STAMP := $(VENV)/.made-from-bench-lock

# The first of these that runs and is new enough; `make PYTHON=/path/to/python` chooses another.
PYTHON ?= $(shell for name in python3.11 python3 python3.12 python3.13 python3.14; do \
	if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then echo "$$name"; break; fi; done)

# Test processes: one a core, four at most, since each may hold a pseudo-terminal and a job; the matrix library gets no threads
# beside them. The slowest tests are named at the end.
WORKERS ?= auto
PYTEST := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest \
	-n $(WORKERS) --maxprocesses=4 --dist=worksteal --durations=10 --durations-min=5

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.PHONY: setup run test check format format-check lint types layers snap bench torture lock wheel wheeltest hooks clean distclean help

setup: $(STAMP)  ## make .venv from the lock, with .venv/bin/immunos-tui (also plain `make`)

run: $(STAMP)  ## set everything up and open the program
	@exec $(BIN)/immunos-tui

test: $(STAMP)  ## set everything up and pass the suite (T="-k word" or a path to choose)
	$(PYTEST) $(T)

check: format-check lint types layers test  ## format, lint, types, layers, tests: what must pass before a commit lands

format: $(STAMP)  ## rewrite the code in the house's format
	$(BIN)/ruff check --select I --fix --quiet .
	$(BIN)/ruff format .

format-check: $(STAMP)
	$(BIN)/ruff format --check .

lint: $(STAMP)
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

layers: $(STAMP)
	$(BIN)/lint-imports --no-logo --no-cache

snap: $(STAMP)  ## draw the screens' pictures anew, to be looked at before they are committed
	$(BIN)/python -m pytest -k snapshot --snapshot-update $(T)

torture: $(STAMP)  ## a hundred kill -9 at random moments (IMMUNOS_TORTURE=N for another number)
	IMMUNOS_TORTURE=$${IMMUNOS_TORTURE:-100} $(PYTEST) -m torture --timeout=3600 $(T)

bench: $(BENCH_STAMP)  ## measure the engine against its peers (B="FOLDER --seeds 1" for other sets), then the terminal
	@mkdir -p build
	$(BIN)/python -m benchmarks.engine --json build/engine.json $(B); engine=$$?; \
	$(BIN)/python -m benchmarks.terminal --json build/terminal.json; exit $$engine

lock:  ## resolve the three requirements files anew from pyproject.toml (needs the package index)
	@PYTHON='$(PYTHON)' scripts/lock.sh

wheel: $(STAMP)  ## build dist/*.tar.gz and, from it, dist/*.whl
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .

wheeltest: wheel  ## install the wheel in an empty place and use it (needs the package index)
	@scripts/wheel_test.sh

hooks: $(STAMP)  ## run the checks at each commit and the tests at each push
	$(BIN)/pre-commit install --hook-type pre-commit --hook-type pre-push

clean:  ## remove what was built, measured and cached
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis snapshot_report.html
	find immunos_tui tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean  ## the same, and .venv
	rm -rf $(VENV)

help:  ## this list
	@awk -F ':.*  ## ' '/^[a-z-]+:.*  ## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(STAMP): requirements-dev.lock scripts/setup.sh
	@scripts/setup.sh '$(PYTHON)' '$(VENV)'
	@touch $@

$(BENCH_STAMP): $(STAMP) requirements-bench.lock
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-bench.lock
	@touch $@
