# The commands of this repository. `make help` lists them.
#
#   PYTHON=/path/to/python3   the Python to create the environment with (3.11, 3.12 or 3.13; default: the first found)
#   VENV=.venv                the environment's folder
#   WORKERS=2                 test processes (default: one per core, at most 4)

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test check format lint types lock install os-packages clean
.NOTPARALLEL:

VENV ?= .venv
PYTHON ?=
WORKERS ?= auto
UPGRADE ?=
export VENV PYTHON

python := $(VENV)/bin/python
pytest := $(python) -m pytest -n $(WORKERS) --maxprocesses=4
code := geocollateral pipelines benchmarks tests .ci

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## set up, assess the demo parcels on the sample imagery, write results/demo
	@.ci/install.sh demo
	@$(python) -m geocollateral assess aoi/demo/parcels.geojson --source sample:romania \
	  --unit-values aoi/demo/unit_values.csv --out results/demo --overwrite

test: install os-packages lint types ## set up what is missing, then every gate and every test
	$(pytest)

check: install lint ## the inner loop: lint, and the fast tests (unit, property, architecture)
	$(pytest) $(wildcard tests/unit tests/property tests/architecture)

format: install ## put the code into its form and mend what can be mended safely
	$(python) -m ruff check --fix --quiet $(code)
	$(python) -m ruff format $(code)

lint: install
	$(python) -m ruff check $(code)
	$(python) -m ruff format --check $(code)
	$(python) -c 'from importlinter.cli import lint_imports_command as run; run()' --no-cache

types: install
	$(python) -m mypy

install: ## create the environment and install what the tests need
	@.ci/install.sh test

os-packages:
	@.ci/os-packages.sh

lock: ## write the locks anew from pyproject.toml; UPGRADE=all or UPGRADE="name ..." lets versions move
	@$(or $(PYTHON),python3) .ci/lock.py $(if $(UPGRADE),--upgrade $(filter-out all,$(UPGRADE)))

clean: ## remove the environment, the caches and results/demo
	[[ ! -e $(VENV)/pyvenv.cfg ]] || rm -rf $(VENV)
	rm -rf results/demo build dist .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	find $(code) -name __pycache__ -type d -prune -exec rm -rf {} +
