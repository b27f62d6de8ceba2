# Every target sets up what it needs by itself; `make demo` and `make test` are all that a newcomer has to know.

PYTHON ?= python3
VENV ?= .venv
BENCH ?= .venv-bench
PYTHONS := 3.10 3.11 3.12 3.13 3.14 3.15
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --constraint requirements/constraints.txt
# `make test TESTS="tests/unit -k spool"` runs a part. The tests wait more than they compute: several run at once.
TESTS ?= tests
WORKERS ?= 3

# `make crash-test N=1000 SEED=7` kills so many processes that log, and shows what became of their events.
N ?= 100
SEED ?= 0

.PHONY: demo test crash-test disk-test fault-test lives-test limits-test readers-test interruption-test lint format guard baseline bench bench-quick bench-tail bench-throttling cost-report docs clean constraints

demo: $(VENV)/.demo
	$(BIN)/firefighter demo

test: $(VENV)/.test
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadgroup $(TESTS)

crash-test: $(VENV)/.test
	$(BIN)/python tests/crash/report.py $(N) $(SEED)

# As root, `make disk-test N=1000 SEED=7` cuts small file systems of several kinds (on loop devices) so many times each under
# processes that log, and shows what became of their events; then does to each what else a disk can do, once.
disk-test: $(VENV)/.test
	$(BIN)/python tests/disk/report.py $(N) $(SEED)
	$(BIN)/python -m pytest tests/disk

# `make fault-test N=1000 SEED=7` lets so many faults strike handlers at random, and shows what became of their events.
fault-test: $(VENV)/.test
	$(BIN)/python tests/faults/report.py $(N) $(SEED)

# `make lives-test N=1000 SEED=7` lives so many generated programs (open, close, fork, replace, forget, kill, ..., three threads,
# an endpoint in any state), and shows what happened and which promises were broken.
lives-test: $(VENV)/.test
	$(BIN)/python tests/model/report.py $(N) $(SEED)

# Compressed objects, read back by everything that can be installed: pandas, pyarrow, polars, duckdb, and Java if it is there.
readers-test: $(VENV)/.readers
	$(BIN)/python -m pytest tests/integration/test_readers.py

# `make limits-test N=10000` generates so many cases of what is logged and how, and checks every request against the limits.
limits-test: $(VENV)/.test
	CASES=$(N) $(BIN)/python -m pytest tests/properties/test_generated_requests.py --timeout 0

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --platform linux
	$(BIN)/mypy --platform darwin src
	$(BIN)/mypy --platform win32 src
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

format: $(VENV)/.lint
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Exceptions at any moment of `append`, INTERRUPTIONS for each Python, place and source; then at each of its bytecodes, its
# allocations, and each depth of the stack: a quarter of an hour for each Python.
INTERRUPTIONS ?= 10000
interruption-test:
	for version in $(PYTHONS); do \
		.ci/with-python $$version true || continue; \
		for place in memory disk; do for source in signal thread; do for ids in '' --event-ids; do \
			.ci/with-python $$version python$$version tests/faults/interruptions.py --on $$place --by $$source $$ids -n $(INTERRUPTIONS) || exit 1; \
		done; done; done; \
		for by in bytecode error allocation depth; do $$python tests/faults/each_bytecode.py --by $$by || exit 1; done; \
	done

# Count the instructions of a logging call under valgrind, and fail if it costs 5 % more than the baseline: 15 seconds.
guard: $(VENV)/.test
	$(BIN)/python -m benchmarks.guard

# Count them on every supported Python that is here with a valgrind, and write the baseline: some three minutes.
baseline:
	for version in $(PYTHONS); do \
		.ci/with-python $$version true || continue; \
		.ci/with-python $$version $(MAKE) .venv-$$version/.demo PYTHON=python$$version VENV=.venv-$$version || exit 1; \
		.ci/with-python $$version .venv-$$version/bin/python -m benchmarks.guard --renew || exit 1; \
	done

# Everything, beside all peers: some twelve minutes; writes docs/benchmarks.json, the charts in docs, and the tables of
# docs/performance.md.
bench: $(BENCH)/.bench
	$(BENCH)/bin/python -m benchmarks --json docs/benchmarks.json --charts docs --page docs/performance.md

# The same with counts too small for good figures: a minute; writes into bench-output.
bench-quick: $(BENCH)/.bench
	$(BENCH)/bin/python -m benchmarks --quick --json bench-output/benchmarks.json --charts bench-output

# The worst calls, while the disk is busy and a thread computes: some two minutes. `OPTIONS=--quick`: some 20 seconds.
bench-tail: $(VENV)/.test
	$(BIN)/python -m benchmarks.tail $(OPTIONS)

# A throttled fleet in simulated time, and docs/throttling.svg: half a minute.
bench-throttling: $(BENCH)/.bench
	$(BENCH)/bin/python -m benchmarks.throttling $(OPTIONS)

# What five logs of 50 MiB cost, each way: the tables of docs/cost.md, and docs/bill.svg. Two minutes.
cost-report: $(VENV)/.test
	$(BIN)/python -m benchmarks.bill --write $(OPTIONS)

# Write the parts of the docs that come from the code.
docs: $(VENV)/.test
	$(BIN)/python docs/generate.py

# Resolve every requirement anew on each Python that is there, and write the versions found.
constraints:
	$(PYTHON) requirements/renew.py

clean:
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
