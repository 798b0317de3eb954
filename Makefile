# make demo    from nothing to a promoted model, on two cores without a GPU
# make test    the whole test suite
# make test-cluster  a search on three Ray nodes, MLflow with logins, PostgreSQL and S3
# make lint    format, lint, types, layers
# make fuzz    10,000 damaged inputs; `make test` has 300 of them; SEED=N repeats a run
# make faults  over 200 faults at random moments; the tests have one of each kind; SEED=N repeats a run
# make bench   the benchmarks: ratios measured side by side in one run
# make install the virtual environment that all of them use

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CLUSTER_STAMP := $(VENV)/.installed-cluster

.PHONY: install demo test test-cluster fuzz faults lint format bench constraints clean
.DEFAULT_GOAL := install

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mixfront needs Python 3.11 or newer: make PYTHON=python3.11")'
	@mkdir -p $(VENV) && date +%s > $(VENV)/.started
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[all,dev]'
	@echo $$(( $$(date +%s) - $$(cat $(VENV)/.started) )) > $@ # seconds, which the demo tells

demo: install
	@$(BIN)/python infra/demo.py

test: install
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "not integration and not cluster" -n 2 --cov --cov-report=
	$(BIN)/pytest -m integration

SEED ?= $(shell date +%s)
fuzz: install
	@echo "seed $(SEED)"
	OMP_NUM_THREADS=1 $(BIN)/pytest tests/fuzz -o timeout=7200 --hypothesis-profile=fuzz-full --hypothesis-seed=$(SEED)

FAULTS_PER_ROW ?= 10
faults: $(CLUSTER_STAMP)
	@echo "seed $(SEED)"
	FAULTS_PER_ROW=$(FAULTS_PER_ROW) FAULTS_SEED=$(SEED) $(BIN)/pytest tests/faults --durations=30

test-cluster: $(CLUSTER_STAMP)
	$(BIN)/pytest -m cluster

$(CLUSTER_STAMP): $(STAMP)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[all,dev,cluster]'
	@touch $@

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install
	$(BIN)/python -m tests.bench

constraints: install
	$(BIN)/pip freeze --exclude-editable > constraints.txt

clean:
	rm -rf $(VENV) build dist demo
