# Works with GNU Make 3.81 (macOS) and later; needs nothing but Python 3.11+.
SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
PYTHON_BIN := $(BIN)/python
READY := $(VENV)/.ready
STAMPS := .make
# Extra words for pytest: make test ARGS="tests/pure -k rotation"
ARGS ?=
JOBS ?= 2

.PHONY: help dev demo setup test test-python test-js soak bench check check-python check-js format openapi \
	migration lock image servers clean

help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

dev: $(READY) ## Start authsvc for development: SQLite, no mail server, a mailbox page
	@$(BIN)/authsvc dev

demo: $(READY) ## Start authsvc, a small web page and a service that checks its tokens
	@$(PYTHON_BIN) examples/demo.py

test: test-python test-js ## Run every test, on real PostgreSQL, Redis and Chromium

test-python: $(READY) servers
	@sh tools/setup_chromium.sh
	@$(PYTHON_BIN) -m pytest -n $(JOBS) --dist loadgroup $(ARGS)

test-js: $(STAMPS)/js
	@cd clients/js && PATH="$(CURDIR)/$(BIN):$$PATH" npm test --silent

soak: $(READY) servers ## Run the heavy tests at full count and write docs/soak.md
	@$(PYTHON_BIN) -m tools.soak $(ARGS)

bench: $(READY) servers ## Measure floor and authsvc side by side: make bench ARGS="--only W2"
	@$(PYTHON_BIN) -m bench $(ARGS)

check: check-python check-js ## Lint, types, import floors, house rules, OpenAPI and migrations

check-python: $(READY) servers
	@$(PYTHON_BIN) -m tools.check

check-js: $(STAMPS)/js
	@cd clients/js && PATH="$(CURDIR)/$(BIN):$$PATH" npm run check --silent

format: $(READY) ## Let ruff tidy the code
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

openapi: $(READY) ## Write openapi/authsvc.json
	@$(PYTHON_BIN) -m tools.openapi

migration: $(READY) ## Write the next migration: make migration NAME="add devices"
	@$(PYTHON_BIN) -m tools.migration "$(NAME)"

lock: $(READY) ## Renew requirements.lock after a change of pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --extra dev --universal --generate-hashes \
		--no-header --no-annotate --quiet --output-file requirements.lock
	@$(BIN)/uv pip compile tools/servers.in --no-deps --universal --generate-hashes \
		--no-header --no-annotate --quiet --output-file requirements-servers.lock
	@$(BIN)/uv pip compile pyproject.toml --extra server --constraint requirements.lock --universal \
		--generate-hashes --no-header --no-annotate --quiet --output-file requirements-image.lock
	@$(BIN)/uv pip compile tools/build.in --constraint requirements.lock --universal \
		--generate-hashes --no-header --no-annotate --quiet --output-file requirements-build.lock

image: ## Build the container image with Docker
	@docker build --tag authsvc .

clean: ## Remove what the targets above have made
	@rm -rf $(VENV) $(STAMPS) dist clients/js/node_modules clients/js/dist
	@rm -rf .pytest_cache .ruff_cache .hypothesis .import_linter_cache

setup: $(READY)

servers: $(READY)
	@$(PYTHON_BIN) -m tools.servers

$(READY): requirements.lock pyproject.toml tools/setup_venv.sh
	@sh tools/setup_venv.sh

$(STAMPS)/js: $(READY) clients/js/package-lock.json clients/js/package.json
	@mkdir -p $(STAMPS)
	@echo "Installing the browser client's development tools ..."
	@cd clients/js && PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --loglevel=error --no-audit --no-fund
	@touch $@
