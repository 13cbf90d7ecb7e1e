# `make train ARGS="dataset=haberman mode=do"` and `make test` set up what they need.
# `make table2` and `make figure2` train what is missing and write the report; ARGS overrides their settings.
PYTHON ?= python3
BIN := .venv/bin
# The networks are small: one thread per process is fastest.
export OMP_NUM_THREADS ?= 1

RUNS ?= multirun
comma := ,
# $(call catalogue,KINDS) lists the modes of these origins, or the datasets, separated by commas. It is
# expanded in recipes only, after the set-up.
catalogue = $(or $(shell $(BIN)/python -m adversarial_oversampling.config $(1)),$(error cannot list: $(1)))
TRAIN = $(BIN)/python -m adversarial_oversampling.train
# A failed job stops neither the other jobs nor the report; the target fails in the end.
sweep = $(TRAIN) -m paths.output_dir=$(RUNS) trainer.enable_progress_bar=false $(1) $(ARGS); status=$$?; \
	$(BIN)/python -m adversarial_oversampling.report $(RUNS) --output $(RUNS)/report && exit $$status

.PHONY: train table2 figure2 report bench test lint setup clean

train: setup
	$(TRAIN) $(ARGS)

table2: setup
	$(call sweep,dataset=$(call catalogue,datasets) mode=$(call catalogue,paper peer) protocol=paper$(comma)holdout)

figure2: setup
	$(call sweep,dataset=secom mode=do$(comma)q$(comma)ao fs=natural$(comma)quarter$(comma)half$(comma)three_quarters$(comma)balanced \
	protocol=paper$(comma)holdout)

report: setup
	$(BIN)/python -m adversarial_oversampling.report $(RUNS) --output $(RUNS)/report

bench: setup
	$(BIN)/python benchmarks/run_all.py --output $(RUNS)/benchmarks.json $(ARGS)

test: lint
	$(BIN)/python -m pytest -n 2 $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell

setup: .venv/.ready

.venv/.ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps --editable .
	@touch $@

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache
