# `make train ARGS="dataset=haberman mode=do"` and `make test` set up what they need.
PYTHON ?= python3
BIN := .venv/bin
# These networks are small: one thread per process is fastest.
export OMP_NUM_THREADS ?= 1

.PHONY: train test lint setup clean

train: setup
	$(BIN)/python -m adversarial_oversampling.train $(ARGS)

test: lint
	$(BIN)/python -m pytest -n 2 $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

setup: .venv/.ready

.venv/.ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps --editable .
	@touch $@

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache
