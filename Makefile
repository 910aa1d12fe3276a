# make run    preset laptop, from nothing to the report      make test   the tests (MARKS=slurm: on a cluster)
# make lint   format, lint, types, workflow lint             make docs   the generated pages
PRESET ?= laptop
CORES ?= 2
MARKS ?= workflow and not slurm
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONHASHSEED := 0

.PHONY: run test lint docs sample lock clean setup
.DEFAULT_GOAL := run

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	@scripts/check_system.sh $(PYTHON)
	@$(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned environment into $(VENV) (a few minutes, once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: setup
	@snakemake --cores $(CORES) --config preset=$(PRESET)
	@echo; echo "Report: $(CURDIR)/results/report.html"; echo "Criteria: $(CURDIR)/results/criteria.json"

test: setup
	@pytest -n $(CORES) -m "not workflow and not slurm" $(TESTARGS) || [ $$? = 5 ]
	@pytest -m "$(MARKS)" $(TESTARGS) || [ $$? = 5 ]

lint: setup
	@ruff check . && ruff format --check . && snakefmt --check Snakefile rules && mypy && scripts/lint_workflow.sh

docs: setup
	@teachable config --reference > docs/configuration.md
	@teachable config --schema > docs/configuration.schema.json

sample: setup
	@python scripts/sample.py

lock: setup
	@{ head -n 2 requirements.lock; $(BIN)/pip freeze --exclude-editable | grep -viE '^(pip)==' | sed 's/+cpu//'; } > .lock.new && mv .lock.new requirements.lock

clean:
	@rm -rf results figures tables logs
