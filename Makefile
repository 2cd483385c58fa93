# The two commands that matter: `make run` and `make test`. Both install what they need.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FIGURE ?=
KILLS ?= 500
SEED ?= 1
UV ?= $(BIN)/uv

# Set on some machines and in most container images, it makes every process compile anew all that it imports: half of
# the time to start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run stop demo cluster-demo status doctor check test lint coverage audit loss recording bench clean lock

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: $(VENV)/.runtime ## set up everything and start both brands
	@$(BIN)/entativa up

stop: ## stop what `make run` started
	@$(BIN)/entativa down

demo: ## add people and posts to both brands
	@$(BIN)/entativa demo

cluster-demo: $(VENV)/.dev ## bring a cluster of three nodes up on network namespaces, and break it (root)
	@$(BIN)/python -m deployments.cluster_demo

status: ## print all addresses and what runs
	@$(BIN)/entativa status

doctor: ## find what is wrong, and how to fix it
	@$(BIN)/entativa doctor

check: $(VENV)/.dev lint ## lint and unit tests, for the inner loop
	$(BIN)/python -m pytest -n 2 tests/unit

test: $(VENV)/.dev lint ## lint, then all tests: unit, integration, interop, fuzz, on several Ray nodes, end to end
	$(BIN)/python -m pytest -n 2 tests/unit tests/integration tests/interop tests/fuzz
	$(BIN)/python -m pytest -n 2 tests/cluster
	$(BIN)/python -m pytest tests/e2e

lint: $(VENV)/.dev ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

coverage: $(VENV)/.dev ## how much of each file unit and integration tests run, for information
	@$(BIN)/coverage run -m pytest -q tests/unit tests/integration >&2
	@$(BIN)/coverage report

audit: $(filter $(BIN)/uv,$(UV)) ## look for known vulnerabilities in the pinned dependencies
	@for file in runtime dev aws client_generator; do $(UV) tool run --from pip-audit==2.9.0 pip-audit --disable-pip --require-hashes -r requirements/$$file.txt || exit 1; done

loss: $(VENV)/.dev ## kill 500 parts of a platform while people write to each other, for example `make loss KILLS=50 SEED=2`
	@$(BIN)/python -m tests.e2e.message_loss --kills $(KILLS) --seed $(SEED)

recording: $(VENV)/.dev ## record `entativa chat` anew: docs/chat.cast and docs/chat.svg
	@$(BIN)/python -m tests.e2e.record_chat

bench: $(VENV)/.dev ## print figures, for example `make bench FIGURE=http`
	@setup/system-packages bench
	@$(BIN)/python -m benchmarks $(FIGURE)

clean: stop ## remove the environment and all local data
	rm -rf $(VENV) .local

lock: $(VENV)/.dev ## pin the dependencies anew
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header -q -o requirements/runtime.txt
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-header -q -c requirements/runtime.txt -o requirements/dev.txt
	$(BIN)/uv pip compile requirements/aws.in --universal --python-version 3.11 --generate-hashes --no-header -q -c requirements/runtime.txt -o requirements/aws.txt
	$(BIN)/uv pip compile requirements/client_generator.in --universal --python-version 3.11 --generate-hashes --no-header -q -o requirements/client_generator.txt

$(BIN)/uv: $(VENV)/.runtime

$(VENV)/.runtime: requirements/runtime.txt pyproject.toml setup/system-packages setup/environment
	@setup/system-packages runtime
	@PYTHON=$(PYTHON) setup/environment $(VENV) requirements/runtime.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	@setup/system-packages test
	@PYTHON=$(PYTHON) setup/environment $(VENV) requirements/dev.txt
	@touch $@
