# Every target sets up what it needs. `make` lists the targets; the texts are those after the `##` of each.

PYTHON ?= python3
VENV ?= .venv
BENCH ?= .venv-bench
SDKS ?= .venv-sdks
PYTHONS := 3.10 3.11 3.12 3.13 3.14 3.15
BIN := $(VENV)/bin
# Without compiling all of it: what is imported is compiled then.
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --no-compile --constraint requirements/constraints.txt
# Tests start thousands of processes: one that finds compiled modules is ready to send in 0.3 s, any other in 0.8 s.
unexport PYTHONDONTWRITEBYTECODE
# Which tests run, and in how many processes. The tests wait more than they compute.
TESTS ?= tests
# Without the second file only the tests of units, contracts, properties and faults can run.
NEEDED ?= requirements/test.txt requirements/programs.txt
WORKERS ?= 4
# How many cases are run by tests that could go on for ever (generated programs, random kills, each bytecode). `few` takes minutes.
# `full` is for CI, on one Python. `every` takes each bytecode, for hours.
DEPTH ?= few
QUICK := tests/unit tests/contract --ignore tests/unit/cost --ignore tests/unit/test_benchmarks.py \
	--ignore tests/unit/test_smallest_bill.py --ignore tests/unit/test_throttled_fleet.py
PYTEST = DEPTH=$(DEPTH) $(BIN)/python -m pytest

# Random tests: how many cases, and the first seed.
N ?= 100
SEED ?= 0
# How long `fuzz` goes on.
MINUTES ?= 60

.PHONY: help demo test test-quick crash-test disk-test fault-test lives-test limits-test fuzz readers-test sdks-test interruption-test \
	lint format guard baseline bench bench-quick compare bench-tail bench-throttling cost-report docs clean constraints

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo 'Variables: TESTS="tests/unit -k spool", WORKERS=2 (processes), DEPTH=few|full|every, N=1000 SEED=7 (random tests),'
	@echo 'MINUTES=10 (fuzz), PYTHON=python3.12 VENV=.venv-3.12 (another Python).'

demo: $(VENV)/.demo ## run a web service under load, kill one process, and count every event (10 s)
	$(BIN)/firefighter demo

test: $(VENV)/.test ## run the tests (5 minutes on 2 cores, and 1 to set up); TESTS=... runs some, DEPTH=full runs longer
	$(PYTEST) --numprocesses $(WORKERS) --dist worksteal $(TESTS)

test-quick: $(VENV)/.test ## run the quick unit tests (1 minute)
	$(PYTEST) --numprocesses $(WORKERS) --dist worksteal $(QUICK)

crash-test: $(VENV)/.test ## kill N processes that log, and report what happened to their events
	$(BIN)/python tests/crash/report.py $(N) $(SEED)

# Of several kinds, on loop devices, or of those in KINDS="ext4 xfs"; then does to each what else a disk can do, once.
disk-test: $(VENV)/.test ## as root: cut off small file systems N times under processes that log, and report what happened
	$(BIN)/python tests/disk/report.py $(N) $(SEED) $(KINDS)
	$(PYTEST) tests/disk

fault-test: $(VENV)/.test ## inject N random faults, and report what happened to the events
	$(BIN)/python tests/faults/report.py $(N) $(SEED)

# They open, close, fork, replace, forget, kill, ..., in three threads, with an endpoint in any state.
lives-test: $(VENV)/.test ## run N generated programs, and report which promises were broken
	$(BIN)/python tests/model/report.py $(N) $(SEED)

# By everything that can be installed: pandas, pyarrow, polars, duckdb, and Java if it is there.
readers-test: $(VENV)/.readers ## read compressed objects back with pandas, pyarrow, polars, duckdb and Java
	$(PYTEST) tests/integration/test_readers.py

# They want other versions of what the tests have, so they have a place of their own. JavaScript is left out where npm or Node is missing.
sdks-test: $(VENV)/.test $(SDKS)/.sdks ## call the local endpoint by the AWS command line, aioboto3 and the JavaScript SDK
	SDKS=$(abspath $(SDKS)) $(PYTEST) tests/conformance/test_sdks.py

limits-test: $(VENV)/.test ## generate N cases, and check every request against AWS's limits
	CASES=$(N) $(PYTEST) tests/properties/test_generated_requests.py --timeout 0

# Records, truncations, requests to the local endpoint, damaged spool directories, and bytes for `audit` and `cost`. Each round, of about
# a minute, has other seeds.
fuzz: $(VENV)/.test ## generate odd and foreign input for MINUTES (an hour), until something fails
	WORKERS=$(WORKERS) $(BIN)/python tests/properties/report.py $(MINUTES)

lint: $(VENV)/.lint ## ruff, mypy (three platforms), pyright, layering
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --platform linux
	$(BIN)/mypy --platform darwin src
	$(BIN)/mypy --platform win32 src
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

format: $(VENV)/.lint ## fix what ruff can fix by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# INTERRUPTIONS for each Python, place and source; then at each of its bytecodes, its allocations, and each depth of the stack: a
# quarter of an hour for each Python.
INTERRUPTIONS ?= 10000
interruption-test: ## raise exceptions at any moment of `append`, on every Python found here (15 minutes each)
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

baseline: ## measure that baseline anew on every Python found here (3 minutes; needs valgrind)
	for version in $(PYTHONS); do \
		.ci/with-python $$version true || continue; \
		.ci/with-python $$version $(MAKE) .venv-$$version/.demo PYTHON=python$$version VENV=.venv-$$version || exit 1; \
		.ci/with-python $$version .venv-$$version/bin/python -m benchmarks.guard --renew || exit 1; \
	done

# Writes docs/benchmarks.json, the charts in docs, and the tables of docs/performance.md.
bench: $(BENCH)/.bench ## measure call, delivery and outage next to other libraries (12 minutes; writes into docs)
	$(BENCH)/bin/python -m benchmarks --json docs/benchmarks.json --charts docs --page docs/performance.md

bench-quick: $(BENCH)/.bench ## the same with small counts (some minutes; writes into bench-output)
	$(BENCH)/bin/python -m benchmarks --quick --json bench-output/benchmarks.json --charts bench-output

compare: $(BENCH)/.bench ## log twenty awkward events by five libraries (10 s; writes docs/comparison.md)
	$(BENCH)/bin/python -m benchmarks.awkward --write docs/comparison.md

bench-tail: $(VENV)/.test ## measure the slowest calls on a busy machine (3 minutes; OPTIONS=--quick: 20 s)
	$(BIN)/python -m benchmarks.tail $(OPTIONS)

bench-throttling: $(BENCH)/.bench ## simulate throttled streams (3 minutes; writes docs/throttling.svg)
	$(BENCH)/bin/python -m benchmarks.throttling $(OPTIONS)

cost-report: $(VENV)/.test ## compute the price of five logs of 50 MiB (2 minutes; writes docs/cost.md and docs/bill.svg)
	$(BIN)/python -m benchmarks.bill --write $(OPTIONS)

docs: $(VENV)/.test ## write the generated parts of the docs
	$(BIN)/python docs/generate.py

constraints: ## resolve all requirements anew, on all supported Pythons
	$(PYTHON) requirements/renew.py

clean: ## remove everything that these targets made
	rm -rf .venv* .pytest_cache .mypy_cache .ruff_cache .hypothesis demo-output bench-output

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "firefighter needs Python 3.10 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml requirements/constraints.txt | $(VENV)/bin/python
	$(PIP) --editable '.[demo]'
	touch $@

$(VENV)/.test: pyproject.toml requirements/constraints.txt $(NEEDED) | $(VENV)/bin/python
	$(PIP) --editable '.[local,demo,completion,fast,plot,zstd,prometheus,opentelemetry]' $(NEEDED:%=--requirement %)
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

$(SDKS)/.sdks: requirements/sdks.txt requirements/sdks-constraints.txt tests/conformance/sdks/package.json
	$(PYTHON) -m venv $(SDKS)
	$(SDKS)/bin/python -m pip --disable-pip-version-check --quiet install \
		--constraint requirements/sdks-constraints.txt --requirement requirements/sdks.txt
	cp tests/conformance/sdks/package.json $(SDKS)
	if command -v npm && node --eval 'process.exit(parseInt(process.version.slice(1)) < 20 ? 1 : 0)'; then \
		cd $(SDKS) && npm install --no-package-lock --no-audit --no-fund --loglevel=error; \
	else \
		echo 'No npm and Node 20 here: JavaScript is left out'; \
	fi
	touch $@
