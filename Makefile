# Every target sets up what it needs by itself; `make demo` and `make test` are all that a newcomer has to know. `make help`, which
# is what `make` does, says what each is for: its words are those behind the `##` of the target.

PYTHON ?= python3
VENV ?= .venv
BENCH ?= .venv-bench
PYTHONS := 3.10 3.11 3.12 3.13 3.14 3.15
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --constraint requirements/constraints.txt
# What runs, and in how many processes: the tests wait more than they compute.
TESTS ?= tests
WORKERS ?= 4
# How often the tests do what has no end by its nature: generated lives, kills at random, every bytecode. `few`: so that it takes
# minutes. `full`: CI, on one Python. `every`: each bytecode, which takes hours.
DEPTH ?= few
QUICK := tests/unit tests/contract --ignore tests/unit/cost --ignore tests/unit/test_benchmarks.py \
	--ignore tests/unit/test_smallest_bill.py --ignore tests/unit/test_throttled_fleet.py
PYTEST = DEPTH=$(DEPTH) $(BIN)/python -m pytest

# Of what is done at random: how often, and beginning with which seed.
N ?= 100
SEED ?= 0

.PHONY: help demo test test-quick crash-test disk-test fault-test lives-test limits-test readers-test interruption-test lint \
	format guard baseline bench bench-quick bench-tail bench-throttling cost-report docs clean constraints

help: ## this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo 'Variables: TESTS="tests/unit -k spool" runs a part, WORKERS=2 so many processes, DEPTH=full more thoroughly (few, full, every);'
	@echo 'N=1000 SEED=7 for what is done at random; PYTHON=python3.12 VENV=.venv-3.12 for another Python.'

demo: $(VENV)/.demo ## a web service under traffic, one process killed in the middle: every event is counted (20 s)
	$(BIN)/firefighter demo

test: $(VENV)/.test ## everything, what has no end a few times (5 minutes); TESTS=..., DEPTH=full
	$(PYTEST) --numprocesses $(WORKERS) --dist worksteal $(TESTS)

test-quick: $(VENV)/.test ## the parts, each by itself, but for what takes long (1 minute)
	$(PYTEST) --numprocesses $(WORKERS) --dist worksteal $(QUICK)

crash-test: $(VENV)/.test ## kill N processes that log, and show what became of their events; SEED=7
	$(BIN)/python tests/crash/report.py $(N) $(SEED)

# Of several kinds, on loop devices; then does to each what else a disk can do, once.
disk-test: $(VENV)/.test ## as root: cut small file systems N times each under processes that log, and show what became of it
	$(BIN)/python tests/disk/report.py $(N) $(SEED)
	$(PYTEST) tests/disk

fault-test: $(VENV)/.test ## let N faults strike handlers at random, and show what became of their events
	$(BIN)/python tests/faults/report.py $(N) $(SEED)

# They open, close, fork, replace, forget, kill, ..., in three threads, with an endpoint in any state.
lives-test: $(VENV)/.test ## live N generated programs, and show what happened and which promises were broken
	$(BIN)/python tests/model/report.py $(N) $(SEED)

# By everything that can be installed: pandas, pyarrow, polars, duckdb, and Java if it is there.
readers-test: $(VENV)/.readers ## have compressed objects read back by what reads such files
	$(PYTEST) tests/integration/test_readers.py

limits-test: $(VENV)/.test ## generate N cases of what is logged and how, and hold every request against the limits
	CASES=$(N) $(PYTEST) tests/properties/test_generated_requests.py --timeout 0

lint: $(VENV)/.lint ## ruff, mypy (three platforms), pyright, layering
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --platform linux
	$(BIN)/mypy --platform darwin src
	$(BIN)/mypy --platform win32 src
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

format: $(VENV)/.lint ## what ruff can mend by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# INTERRUPTIONS for each Python, place and source; then at each of its bytecodes, its allocations, and each depth of the stack: a
# quarter of an hour for each Python.
INTERRUPTIONS ?= 10000
interruption-test: ## exceptions at any moment of `append`, on every Python that is here (a quarter of an hour each)
	for version in $(PYTHONS); do \
		.ci/with-python $$version true || continue; \
		for place in memory disk; do for source in signal thread; do for ids in '' --event-ids; do \
			.ci/with-python $$version python$$version tests/faults/interruptions.py --on $$place --by $$source $$ids -n $(INTERRUPTIONS) || exit 1; \
		done; done; done; \
		for by in bytecode error allocation depth; do \
			.ci/with-python $$version python$$version tests/faults/each_bytecode.py --by $$by || exit 1; \
		done; \
	done

guard: $(VENV)/.test ## fail if a logging call costs 5 % more instructions than the baseline (15 s; needs valgrind)
	$(BIN)/python -m benchmarks.guard

baseline: ## count these instructions on every Python that is here, and write the baseline (3 minutes; needs valgrind)
	for version in $(PYTHONS); do \
		.ci/with-python $$version true || continue; \
		.ci/with-python $$version $(MAKE) .venv-$$version/.demo PYTHON=python$$version VENV=.venv-$$version || exit 1; \
		.ci/with-python $$version .venv-$$version/bin/python -m benchmarks.guard --renew || exit 1; \
	done

# Writes docs/benchmarks.json, the charts in docs, and the tables of docs/performance.md.
bench: $(BENCH)/.bench ## what call, delivery and outage cost, beside all other libraries (12 minutes; writes into docs)
	$(BENCH)/bin/python -m benchmarks --json docs/benchmarks.json --charts docs --page docs/performance.md

bench-quick: $(BENCH)/.bench ## the same with counts too small for good figures (some minutes; writes into bench-output)
	$(BENCH)/bin/python -m benchmarks --quick --json bench-output/benchmarks.json --charts bench-output

bench-tail: $(VENV)/.test ## the worst calls while the disk is busy and a thread computes (3 minutes; OPTIONS=--quick: 20 s)
	$(BIN)/python -m benchmarks.tail $(OPTIONS)

bench-throttling: $(BENCH)/.bench ## a throttled fleet in simulated time (1 to 2 minutes; writes docs/throttling.svg)
	$(BENCH)/bin/python -m benchmarks.throttling $(OPTIONS)

cost-report: $(VENV)/.test ## what five logs of 50 MiB cost, each way (2 minutes; writes docs/cost.md and docs/bill.svg)
	$(BIN)/python -m benchmarks.bill --write $(OPTIONS)

docs: $(VENV)/.test ## write the parts of the docs that come from the code
	$(BIN)/python docs/generate.py

constraints: ## resolve every requirement anew on each Python that is here, and write the versions found
	$(PYTHON) requirements/renew.py

clean: ## remove everything that these targets have made
	rm -rf .venv* .pytest_cache .mypy_cache .ruff_cache .hypothesis demo-output bench-output

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "firefighter needs Python 3.10 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml requirements/constraints.txt | $(VENV)/bin/python
	$(PIP) --editable '.[demo]'
	touch $@

$(VENV)/.test: pyproject.toml requirements/constraints.txt requirements/test.txt | $(VENV)/bin/python
	$(PIP) --editable '.[local,demo,fast,plot,zstd,prometheus,opentelemetry]' --requirement requirements/test.txt
	touch $@

# A place of its own, so that what we are measured against stays out of the tests.
$(BENCH)/.bench: pyproject.toml requirements/constraints.txt benchmarks/requirements.txt benchmarks/ancestor.txt
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip --disable-pip-version-check --quiet install --constraint requirements/constraints.txt \
		--editable '.[local,fast,zstd]' --requirement benchmarks/requirements.txt
	rm -rf $(BENCH)/ancestor
	$(BENCH)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps \
		--target $(BENCH)/ancestor --requirement benchmarks/ancestor.txt
	touch $@

$(VENV)/.lint: requirements/lint.txt $(VENV)/.test
	$(PIP) --requirement requirements/lint.txt
	touch $@

$(VENV)/.readers: requirements/readers.txt $(VENV)/.test
	$(PIP) --requirement requirements/readers.txt
	touch $@
