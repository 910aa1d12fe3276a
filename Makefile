# make run    preset laptop, from nothing to the report      make test   the tests (MARKS=slurm: on a cluster)
# make lint   format, lint, types, import laws, workflow     make docs   the generated pages
# make setup  .venv with the tools of tests and lint         make lock   the pins anew (needs uv)
# make test-tools   the tests that read exports with Inspect, Hugging Face datasets and TensorBoard
# make benchmark   speed and error against peers, on a finished `make run` (RESULTS=...), on a machine that does nothing else
# make fuzz   18,000 damaged inputs (hours; FUZZ=0.1: a tenth of them)
PRESET ?= laptop
CORES ?= 2
MARKS ?= workflow and not slurm and not pretrained
FUZZ ?= long
RESULTS ?= results
LLAMA ?=
PYTHON ?= python3
VENV := .venv
PEERS := .venv-benchmarks
BIN := $(VENV)/bin
TOOLS := $(CURDIR)/$(VENV)/tools
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONHASHSEED := 0
# some containers set it, and then every job compiles its libraries anew: twice the CPU time of a small run
export PYTHONDONTWRITEBYTECODE :=
# what is never imported need not be compiled (half of the time that installing takes); the rest is, when first used
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile

.PHONY: run test test-tools benchmark fuzz lint docs sample lock clean install setup
.DEFAULT_GOAL := run

install: $(VENV)/.ready

setup: $(VENV)/.ready-dev

$(VENV)/.ready: requirements.lock pyproject.toml
	@scripts/check_system.sh $(PYTHON)
	@$(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned environment into $(VENV) (a few minutes, once) ..."
	@$(PIP) -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.ready-dev: requirements-dev.lock $(VENV)/.ready
	@$(PIP) -r requirements-dev.lock
	@touch $@

# in a folder of its own, in front of the path for these tests alone: Inspect wants older libraries than ours
$(VENV)/.ready-tools: requirements-tools.lock $(VENV)/.ready-dev
	@rm -rf $(TOOLS)
	@$(PIP) --no-deps --target $(TOOLS) -r requirements-tools.lock
	@touch $@

run: install
	@snakemake --cores $(CORES) --quiet reason --config preset=$(PRESET)

test: setup
	@pytest -n $(CORES) -m "not workflow and not slurm" $(TESTARGS) || [ $$? = 5 ]
	@pytest -n $(CORES) --dist loadscope -m "workflow and ($(MARKS))" $(TESTARGS) || [ $$? = 5 ]
	@pytest -m "slurm and not workflow and ($(MARKS))" $(TESTARGS) || [ $$? = 5 ]

test-tools: $(VENV)/.ready-tools
	@PYTHONPATH=$(TOOLS)$(addprefix :,$(PYTHONPATH)) python -c "import datasets, inspect_ai, tensorboard"
	@PYTHONPATH=$(TOOLS)$(addprefix :,$(PYTHONPATH)) pytest tests/export/test_inspect.py tests/export/test_data.py \
		tests/student/test_monitoring.py $(TESTARGS)

# peers in an environment of their own, with our torch, transformers and PEFT
$(PEERS)/.ready: envs/benchmarks.txt
	@$(PYTHON) -m venv $(PEERS)
	@echo "Installing the peers' pinned environment into $(PEERS) (a few minutes, once) ..."
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -r $<
	@touch $@

benchmark: install $(PEERS)/.ready
	@for one in tokens growth lora_sft labelling action_values; do \
		python benchmarks/$$one.py --results $(RESULTS) $$([ $$one = labelling ] && echo "$(addprefix --llama ,$(LLAMA))") || exit 1; \
	done
	@python benchmarks/paper_hours.py
	@python benchmarks/engine_page.py

fuzz: setup
	@TEACHABLE_FUZZ=$(FUZZ) pytest -n $(CORES) --timeout 0 tests/fuzz $(TESTARGS)

lint: setup
	@ruff check . && ruff format --check . && snakefmt --check Snakefile rules && mypy && lint-imports --no-logo && scripts/lint_workflow.sh

docs: install
	@teachable config --reference > docs/configuration.md
	@teachable config --schema > docs/configuration.schema.json

sample: install
	@python scripts/sample.py

lock:
	@scripts/lock.sh

clean:
	@rm -rf results figures tables logs
