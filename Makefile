# Two commands are all that a fresh machine needs: `make demo` and `make test`. The others are for daily work.
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test campaign check static fast format failure-table fuzz bench servers lock image clean

# Runs what follows it in the environment that holds every tool; tools/venv makes it when it is not there.
IN_DEV = venv=$$(tools/venv dev) && PATH="$$venv/bin:$$PATH" &&
# Most tests wait for real time to pass. Each worker has real servers of its own (about 2 GiB). The campaign keeps many
# cells in flight by itself.
SIDE_BY_SIDE ?= --numprocesses=3 --dist=worksteal
ENGINE ?= docker
IMAGE ?= canary-watchdog

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):[^#]*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22

demo: ## a bad release and its rollback on a simulated cluster, in half a minute; needs Python alone (ARGS=--keep)
	@venv=$$(tools/venv run) && exec "$$venv/bin/watchdog" demo $(ARGS)

# Nothing may print after the tests: their last line is the count.
test: static servers ## everything: checks, the real servers, every test
	@$(IN_DEV) exec tools/toolchain python -m pytest $(SIDE_BY_SIDE) $(ARGS)

campaign: servers ## every write of a rollback meets every fault and goes on in every way; make test runs a part of these cells
	@$(IN_DEV) CANARY_WATCHDOG_CAMPAIGN=all exec tools/toolchain python -m pytest tests/campaign $(ARGS)

check: static fast ## the fast part, for every change: format, lint, types, layers, fast tests, rule files, chart

static:
	@$(IN_DEV) ruff format --check --quiet . && ruff check --quiet . && mypy && lint-imports --no-logo && hadolint Dockerfile
	@$(IN_DEV) watchdog check rules/ && watchdog test rules/tests/

# The tests that ask for no real server, and do not take long.
fast:
	@$(IN_DEV) python -m pytest -m "not real and not slow" $(ARGS)

format: ## formats the code and mends what the linter can mend
	@$(IN_DEV) ruff check --quiet --fix-only . && ruff format .

failure-table: ## writes docs/failure-modes.md anew from its rows and from the ids in the tests' names
	@$(IN_DEV) python -m tests.failure_table

fuzz: ## feeds each parser what nobody thought of, a minute each (TIME=seconds, TARGET=name, ARGS="found input")
	@$(IN_DEV) python -m tests.fuzz $(if $(TIME),--seconds $(TIME)) $(if $(TARGET),--target $(TARGET)) $(ARGS)

bench: ## how long a switch takes on a real control plane, beside the floor (N=100 rollbacks)
	@$(IN_DEV) exec tools/toolchain python -m bench $(if $(N),--rollbacks $(N))

# A part that cannot be had is said here and once more by the tests that are skipped for it.
servers:
	@$(IN_DEV) python -m tests.stack.tools || true
	@$(IN_DEV) tools/toolchain python -m tests.stack.build || true

lock: ## writes the lock files anew from pyproject.toml (UPGRADE=--upgrade for the newest versions)
	@$(IN_DEV) lock="uv pip compile --quiet --universal --generate-hashes --python-version 3.11 $(UPGRADE)" && \
	$$lock --custom-compile-command "make lock" pyproject.toml -o requirements.lock && \
	$$lock --custom-compile-command "make lock" --group build -c requirements.lock -o requirements-build.lock && \
	$$lock --custom-compile-command "make lock" pyproject.toml --group dev \
	  -c requirements.lock -c requirements-build.lock -o requirements-dev.lock

image: ## the container image (ENGINE=podman, IMAGE=name)
	@version=$$(sed -n 's/^__version__ = "\(.*\)"/\1/p' watchdog/__init__.py) && \
	$(ENGINE) build --build-arg "VERSION=$$version" --tag "$(IMAGE):$$version" .

clean: ## removes what tools left in the checkout, and this checkout's Python environments
	@tools/venv clean
	@rm -rf build dist .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
