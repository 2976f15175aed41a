# Every target prepares .venv by itself; it takes a moment once and nothing afterwards.
# Use another interpreter with `make PYTHON=python3.12 …`.

PYTHON ?= python3
ARGS ?=
# Most tests wait for processes: two files at a time keep a small machine busy.
JOBS ?= 2
READY = .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help demo prove bench test test-gateway test-containers check format up up-openclaw upgrade down logs status \
  descriptors clean

help:  ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

bench: $(READY)  ## Measure it as it is deployed, in under five minutes; ARGS=all for everything
	@.venv/bin/dispatcher bench $(or $(ARGS),short)

test: $(READY)  ## Run all tests but those of the real gateway and of containers
	@echo "Running the tests …"
	@.venv/bin/python -m pytest -m "not gateway and not containers" -n $(JOBS) --dist loadfile $(ARGS)

test-gateway: $(READY)  ## Run the tests against the real OpenClaw gateway (installs it once)
	@echo "Running the tests with the real gateway …"
	@.venv/bin/python tests/gateway/install.py
	@.venv/bin/python -m pytest -m gateway tests/gateway $(ARGS)

test-containers: $(READY)  ## Run the tests of images and compose stack (needs a container engine)
	@echo "Running the tests of the containers …"
	@node --test ops/openclaw/test/*.test.mjs >/dev/null || { node --test ops/openclaw/test/*.test.mjs; exit 1; }
	@.venv/bin/python -m pytest -m containers tests/containers $(ARGS)

check: $(READY)  ## Check format, lint, walls between packages, types, dependencies and known holes in them
	@echo "Checking format, lint, walls, types and dependencies …"
	@.venv/bin/ruff format --check --quiet . || { echo "Run 'make format'." >&2; exit 1; }
	@.venv/bin/ruff check --quiet .
	@.venv/bin/lint-imports --no-cache >/dev/null || { .venv/bin/lint-imports --no-cache; exit 1; }
	@.venv/bin/mypy --no-error-summary
	@.venv/bin/deptry . >/dev/null 2>&1 || { .venv/bin/deptry .; exit 1; }
	@.venv/bin/python -m dispatcher.lab.audit constraints.txt
	@echo "All checks passed."

format: $(READY)  ## Format the code and fix what can be fixed
	@.venv/bin/ruff format --quiet .
	@.venv/bin/ruff check --fix --quiet .

up:  ## Start the compose stack (needs .env); ARGS='--scale worker=3'
	@ops/stack/up.sh $(ARGS)

up-openclaw:  ## The same with the OpenClaw gateway beside it
	@PROFILE="openclaw $(PROFILE)" ops/stack/up.sh $(ARGS)

upgrade:  ## Pull, build, restart; PROFILE=openclaw with the gateway
	@ops/stack/upgrade.sh $(ARGS)

down:  ## Stop the compose stack; volumes stay
	@ops/stack/down.sh $(ARGS)

logs:  ## Follow the logs of the compose stack; ARGS=worker for one service
	@ops/stack/logs.sh --follow $(ARGS)

status:  ## Tell how the compose stack is, and what to do about what is wrong
	@ops/stack/status.sh $(ARGS)

descriptors:  ## Count open file descriptors in the containers; ARGS=worker
	@ops/stack/descriptors.sh $(ARGS)

clean:  ## Remove .venv and caches
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
