# `make train ARGS="dataset=haberman mode=do"` and `make test` set up what they need.
# `make table2`, `make figure2` and `make ablations` train what is missing, ten seeds each, and write the report;
# ARGS overrides their settings. `make recipes` searches the settings in conf/dataset and conf/recipe.
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
jobs = $(TRAIN) -m paths.output_dir=$(RUNS) trainer.enable_progress_bar=false replicas=10 $(1) $(ARGS) || status=1
write_report = $(BIN)/python -m adversarial_oversampling.report $(RUNS) --output $(RUNS)/report
sweep = status=0; $(call jobs,$(1)); $(write_report) && exit $$status

.PHONY: train table2 figure2 ablations recipes report bench test lint setup clean

train: setup
	$(TRAIN) $(ARGS)

table2: setup
	$(call sweep,dataset=$(call catalogue,datasets) mode=$(call catalogue,paper peer) protocol=paper$(comma)holdout)

figure2: setup
	$(call sweep,dataset=secom mode=do$(comma)q$(comma)ao fs=natural$(comma)quarter$(comma)half$(comma)three_quarters$(comma)balanced \
	protocol=paper$(comma)holdout)

ABLATED := dataset=secom,pima,haberman,yeast
ABLATIONS := no_generated_rows,no_discriminator,static_mixing,five_critic_steps,conditional_discriminator,$\
unconditional_discriminator,no_noise,straight_through,diversity_term,temperature_1,few_anchors,ten_members
ablations: setup
	status=0; \
	$(call jobs,$(ABLATED) mode=do ablation=$(ABLATIONS)$(comma)weight_0_03$(comma)weight_0_3$(comma)weight_1); \
	$(call jobs,$(ABLATED) mode=ao ablation=$(ABLATIONS)$(comma)weight_0_3$(comma)oversampled_real_rows); \
	$(call jobs,$(ABLATED) mode=ro ablation=label_smoothing$(comma)mixup$(comma)ten_members); \
	$(call jobs,$(ABLATED) mode=gamo ablation=cross_entropy); \
	$(call jobs,$(ABLATED) mode=do$(comma)ao$(comma)ro$(comma)gamo$(comma)both_fool$(comma)both_favour); \
	$(write_report) && exit $$status

recipes: setup
	$(BIN)/python benchmarks/recipes.py $(or $(DATASETS),$(subst $(comma), ,$(call catalogue,datasets))) $(ARGS)

report: setup
	$(write_report)

bench: setup
	$(BIN)/python benchmarks/run_all.py --output $(RUNS)/benchmarks.json $(ARGS)

test: lint
	$(BIN)/python -m pytest -n 3 --dist loadfile $(ARGS)

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
