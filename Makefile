# Each target creates the virtual environment it needs; PYTHON names the interpreter it is made with (3.11 or later).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test test-fast s3-server lint bench mutants torture docs site screenshots clean

demo: $(VENV)/.demo
	$(BIN)/tickercast demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest -q -n 2 --dist worksteal

test-fast: $(VENV)/.dev
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not slow"

# The S3 server of the tests of an object store; they are skipped without it.
s3-server: $(VENV)/.s3-server

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/walk_forward.py

mutants: $(VENV)/.mutants
	$(BIN)/mutmut run --max-children 2
	$(BIN)/python benchmarks/mutants.py

# Faults of every kind, seeded, at most an hour: make torture MINUTES=5, SEED=7 to repeat or resume, FULL=1 without a bound.
torture: $(VENV)/.dev
	$(BIN)/python -m tests.torture $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(FULL),--full)

docs: $(VENV)/.dev
	$(BIN)/python -m tickercast.storage.docs
	$(BIN)/python -m tickercast.jobs.cli.reference

# The documentation as a web site, in site/; it fails where a link leads nowhere.
site: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

# The pictures in docs/assets, from the record of a demo; needs Chromium.
screenshots: $(VENV)/.pictures
	rm -rf out/pictures
	$(BIN)/tickercast demo --keep out/pictures
	$(BIN)/python docs/screenshots.py out/pictures
	$(BIN)/python docs/figures.py out/pictures

clean:
	rm -rf $(VENV) site mutants .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP_INSTALL) -e ".[demo,report]"
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP_INSTALL) -e ".[dev]"
	touch $@ $(VENV)/.demo

$(VENV)/.s3-server: tests/s3_server.txt | $(VENV)/bin/python
	$(PYTHON) -m venv $(VENV)/s3-server
	$(VENV)/s3-server/bin/python -m pip install --quiet --disable-pip-version-check -r tests/s3_server.txt
	touch $@

# What lint, site and test need, in one installation.
$(VENV)/.checks: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP_INSTALL) -e ".[dev,docs]"
	touch $@ $(VENV)/.demo $(VENV)/.dev $(VENV)/.docs

$(VENV)/.mutants: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP_INSTALL) -e ".[dev,mutants]"
	touch $@ $(VENV)/.dev $(VENV)/.demo

$(VENV)/.docs: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP_INSTALL) -e ".[docs]"
	touch $@

$(VENV)/.pictures: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP_INSTALL) -e ".[demo,web,examples]"
	touch $@
