# `make` alone lists the targets. Everything is installed into .venv from the hash-pinned files in requirements/.
PYTHON ?= python3
PORT ?= 8000
DATA ?= var
SECONDS ?= 600
BIN := .venv/bin
INSTALL := $(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation --editable .
COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)

.DEFAULT_GOAL := help
.PHONY: help run demo test check format bench chaos migrate revision up down backup restore lock

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

run: .venv/run ## start everything on this machine: http://localhost:$(PORT)
	@exec $(BIN)/marketplace run --port $(PORT) --data $(DATA) $(if $(SIMULATE),--simulate-providers)

demo: .venv/run ## play one order's journey against the running system
	@exec $(BIN)/marketplace demo --url http://localhost:$(PORT)

check: .venv/dev ## lint, types, boundaries, unit tests: under a minute
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest -q tests/unit

test: check ## all tests, on real PostgreSQL and RabbitMQ, with a real browser
	$(BIN)/python -m tests.support.servers install
	$(BIN)/pytest -q -n 3 --dist loadfile tests/contract tests/adapters tests/integration tests/schema
	$(BIN)/pytest -q tests/web
	$(BIN)/pytest -q tests/e2e
	$(BIN)/pytest -q tests/chaos

chaos: .venv/dev ## kill and break all parts while clients go on (SECONDS, SEED), then see that the mutants are caught
	$(BIN)/python -m tests.chaos.run --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))
	$(BIN)/python -m tests.chaos.aimed

format: .venv/dev ## put the code into the common format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/dev ## measure tokens, logins, lists as catalog and orders grow, each row beside the commit before (PEER=fixture of another system), the gateway beside nginx and amid bad neighbours, sockets and how late they hear, how a backlog drains, what idling takes
	$(BIN)/python -m bench.tokens
	$(BIN)/python -m bench.logins
	$(BIN)/python -m bench.revocation
	$(BIN)/python -m bench.growth
	$(BIN)/python -m bench.rows $(if $(PEER),--peer $(PEER))
	$(BIN)/python -m bench.passthrough
	$(BIN)/python -m bench.neighbours
	$(BIN)/python -m bench.tracing
	$(BIN)/python -m bench.delay
	$(BIN)/python -m bench.sockets
	$(BIN)/python -m bench.backlog --events 1000 10000
	$(BIN)/python -m bench.footprint --minutes 0

migrate: .venv/run ## bring the databases of the services up to date (DATA, or DATABASE_URL and SERVICE)
	$(BIN)/marketplace migrate $(if $(SERVICE),$(SERVICE),--data $(DATA))

revision: .venv/dev ## write a new migration: make revision SERVICE=orders MESSAGE="add notes"
	$(BIN)/marketplace revision $(SERVICE) --message "$(MESSAGE)"

up: ## build and start the deployed form with docker-compose; SCALE="orders=2 notifications=2" for several of a service
	@deploy/make-env
	@cd deploy && $(COMPOSE) up -d --build $(addprefix --scale ,$(SCALE)) && ./wait "$$($(COMPOSE) port gateway 8000)"

down: ## stop the deployed form; its data stays in volumes
	cd deploy && $(COMPOSE) down

backup: ## save the deployed form's data while it runs: make backup TO=folder, and its secrets with SECRETS=yes
	@COMPOSE="$(COMPOSE)" deploy/backup $(if $(TO),"$(abspath $(TO))")

restore: ## bring it back where there is no data yet, and start: make restore FROM=folder
	@COMPOSE="$(COMPOSE)" deploy/restore $(if $(FROM),"$(abspath $(FROM))")

lock: ## resolve requirements/*.txt anew
	@for set in service run dev; do \
	  case $$set in service) more= ;; run) more="--extra embedded --group build" ;; dev) more="--extra embedded --group build --group dev" ;; esac; \
	  $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate $$more pyproject.toml \
	    -o requirements/$$set.txt $(LOCK); done
	echo uv | $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate - -o requirements/uv.txt $(LOCK)

# --- the environment: uv installs itself into .venv, then what is pinned ------------------------------------------
.venv/uv: requirements/uv.txt
	@echo "making .venv from requirements/"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

.venv/run: .venv/uv requirements/run.txt pyproject.toml
	@test -f .venv/dev || $(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/run.txt
	@$(INSTALL)
	@touch $@

.venv/dev: .venv/uv requirements/dev.txt pyproject.toml
	@$(BIN)/uv pip sync -q --compile-bytecode --python $(BIN)/python --require-hashes requirements/dev.txt
	@$(INSTALL)
	@touch $@ .venv/run
