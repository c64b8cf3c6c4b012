# The recipes people and CI share. Everything a recipe needs it brings itself; nothing is installed outside this folder.
PYTHON ?= python3
UV     := .tools/bin/uv
VENV   := .venv
RUN    := $(VENV)/bin
MEMBERS := $(sort $(patsubst %/pyproject.toml,%,$(wildcard libs/*/pyproject.toml services/*/pyproject.toml)))

.PHONY: help demo test check bench fmt contracts lock clean

help:
	@grep -E '^## ' $(MAKEFILE_LIST) | sed 's/^## //'

$(UV):
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Modelyard needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target .tools --upgrade 'uv>=0.9'

$(VENV)/.synced: requirements.lock $(addsuffix /pyproject.toml,$(MEMBERS)) | $(UV)
	test -x $(RUN)/python || $(UV) venv --quiet --python "$$(command -v $(PYTHON))" $(VENV)
	$(UV) pip sync --quiet --require-hashes --python $(RUN)/python requirements.lock
	$(UV) pip install --quiet --no-deps --python $(RUN)/python $(addprefix -e ./,$(MEMBERS))
	touch $@

## make demo       the main job on real flights, from data to a retrained model behind a split endpoint
demo: $(VENV)/.synced
	$(RUN)/python examples/flights/demo.py

## make test       every test, on real PostgreSQL, NATS, S3, Ray and HAProxy
test: $(VENV)/.synced
	$(RUN)/python -m pytest $(or $(ARGS),--numprocesses 2 --dist loadfile)

## make check      format, lint, types, layers, contracts: what must hold before a commit
check: $(VENV)/.synced
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/lint-imports
	$(RUN)/mypy
	$(RUN)/python -m tests.contract.generate --check
	$(RUN)/python -m libs.client.generate_async --check

## make bench      measures what is promised, peers in the same run (ONLY=name[,name])
bench: $(VENV)/.synced
	$(RUN)/python -m tests.benchmarks $(if $(ONLY),--only $(ONLY))

## make fmt        formats and mends what can be mended
fmt: $(VENV)/.synced
	$(RUN)/ruff format .
	$(RUN)/ruff check --fix .

## make contracts  writes contracts/ and the asynchronous client anew from the code
contracts: $(VENV)/.synced
	$(RUN)/python -m tests.contract.generate
	$(RUN)/python -m libs.client.generate_async

## make lock       resolves the dependencies anew into requirements.lock
lock: | $(UV)
	$(UV) lock --quiet
	$(UV) export --quiet --all-packages --all-groups --no-emit-workspace --no-header --format requirements-txt --output-file requirements.lock

## make clean      removes what the recipes made
clean:
	rm -rf $(VENV) .tools build .mypy_cache .ruff_cache .pytest_cache
