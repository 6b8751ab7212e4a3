# Needs make and Python 3.11 or later; everything else goes into a virtual environment of its own.
#
#   make demo              play the sample cases (ONCE=1 ends when they are played)
#   make serve             serve the exchange on this machine
#   make test              run the tests (ALL=1 tries every combination of what is swept, not a share)
#   make soak              kill its processes at random under load for half an hour (REFERRALS=2000 is shorter, SEED=… plays one again)
#
# VENV=/elsewhere puts the virtual environment elsewhere, PYTHON=… chooses the Python it is made with.

VENV   ?= .venv
ONCE   ?=
REFERRALS ?= 20000
SEED   ?=
BIN    := $(VENV)/bin
PIP    := PIP_ROOT_USER_ACTION=ignore $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input
EDITABLE := --no-deps --no-build-isolation -e .
SOURCES := app auth schemas tests

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo serve test soak check format bench openapi clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/python:
	@.ci/make-venv "$(VENV)" "$(PYTHON)"

# what it takes to run, and what it takes to develop as well: a stamp each, so that a second run costs nothing
$(VENV)/.run: requirements.txt pyproject.toml | $(BIN)/python
	@echo "Installing what the exchange needs into $(VENV)"
	@$(PIP) --require-hashes -r requirements.txt
	@$(PIP) $(EDITABLE)
	@touch $@

$(VENV)/.dev: requirements-dev.txt pyproject.toml | $(BIN)/python
	@echo "Installing what tests and checks need into $(VENV)"
	@$(PIP) --require-hashes -r requirements-dev.txt
	@$(PIP) $(EDITABLE)
	@touch $(VENV)/.run $@

$(VENV)/.bench: requirements-bench.txt $(VENV)/.dev
	@echo "Installing what the benchmarks compare with into $(VENV)"
	@$(PIP) --require-hashes -r requirements-bench.txt
	@touch $@

install: $(VENV)/.dev ## install everything, for development

demo: $(VENV)/.run ## play the sample cases through a running exchange; ONCE=1 ends afterwards
	@$(BIN)/rujukan demo $(if $(ONCE),--once)

serve: $(VENV)/.run ## serve the exchange on this machine
	@exec $(BIN)/rujukan serve

# four workers for two cores, since much of a test is waiting; whoever has nothing left takes over from the others. Bytecode is kept,
# whatever the environment says: the tests start some two hundred processes, and each would compile all of it again. What failed is tried
# once more with nothing beside it: a fault stays one, and a clock that a crowded machine let run out does not
test: $(VENV)/.dev ## run the tests; ALL=1 tries every combination
	@.ci/node-packages "$(BIN)"
	@export PYTHONDONTWRITEBYTECODE= RUJUKAN_CHROMIUM="$$(.ci/browser "$(BIN)")"; \
	$(BIN)/python -m pytest -n 4 --dist worksteal && exit; code=$$?; [ $$code -eq 1 ] || exit $$code; \
	echo "What failed, once more and alone:"; $(BIN)/python -m pytest --last-failed --last-failed-no-failures none --maxfail 5

soak: $(VENV)/.dev ## kill processes at random under load, then compare what everybody knows; REFERRALS=2000 is shorter, SEED= plays one again
	@SEED="$(SEED)" $(BIN)/python -m tests.soak --referrals $(REFERRALS)

check: $(VENV)/.dev ## formatting, lint, types, layers
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.dev ## format, and mend what lint can mend
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

bench: $(VENV)/.bench ## run the benchmarks
	@.ci/node-packages "$(BIN)"
	@$(BIN)/python -m benchmarks

openapi: $(VENV)/.run ## write openapi/openapi.json from the code
	@$(BIN)/rujukan openapi --write

clean: ## remove the virtual environment and caches; data/ stays
	rm -rf "$(VENV)" tests/clients/node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .schemathesis
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
