# Every target prepares .venv by itself; it takes a moment once and nothing afterwards.
# Use another interpreter with `make PYTHON=python3.12 …`.

PYTHON ?= python3
ARGS ?=
COMPOSE = docker compose -f docker-compose.runtime.yml
READY = .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help demo prove test test-gateway check format up down logs clean

help:  ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	@echo "Preparing .venv (Python packages) …"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed; say which with: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

demo: $(READY)  ## Run everything on this machine; ARGS='--once "@engineer hello"' for one message
	@.venv/bin/dispatcher dev $(ARGS)

prove: $(READY)  ## Break everything on purpose and judge; ARGS='--kills 200 --seed 1'
	@.venv/bin/dispatcher prove $(ARGS)

test: $(READY)  ## Run all tests but those of the real gateway
	@echo "Running the tests …"
	@.venv/bin/python -m pytest -m "not gateway" $(ARGS)

test-gateway: $(READY)  ## Run the tests against the real OpenClaw gateway (installs it once)
	@echo "Running the tests with the real gateway …"
	@.venv/bin/python tests/gateway/install.py
	@.venv/bin/python -m pytest -m gateway tests/gateway $(ARGS)

check: $(READY)  ## Check format, lint, walls between packages, and types
	@echo "Checking format, lint, walls and types …"
	@.venv/bin/ruff format --check --quiet . || { echo "Run 'make format'." >&2; exit 1; }
	@.venv/bin/ruff check --quiet .
	@.venv/bin/lint-imports --no-cache >/dev/null || { .venv/bin/lint-imports --no-cache; exit 1; }
	@.venv/bin/mypy --no-error-summary
	@echo "All checks passed."

format: $(READY)  ## Format the code and fix what can be fixed
	@.venv/bin/ruff format --quiet .
	@.venv/bin/ruff check --fix --quiet .

up:  ## Start the compose stack in the background (needs .env)
	@test -f .env || { echo "There is no .env: cp .env.example .env, and fill in the first three." >&2; exit 1; }
	$(COMPOSE) up --build --detach

down:  ## Stop the compose stack; volumes stay
	$(COMPOSE) down

logs:  ## Follow the logs of the compose stack
	$(COMPOSE) logs --follow

clean:  ## Remove .venv and caches
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
