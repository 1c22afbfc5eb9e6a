# `make` lists the targets.
#
# Everything runs in .venv, which is created from requirements-dev.lock on first use and updated when
# the lock changes. The machine needs only make and Python 3.11 or newer. CoreDNS and the other servers
# of the tests are built once into ~/.cache/grpcdns (GRPCDNS_CACHE).

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
JOBS ?= 2
VENV := .venv
PY := $(VENV)/bin/python
INSTALLED := $(VENV)/installed-$(shell cat requirements-dev.lock pyproject.toml | cksum | tr -d ' ')
# With COMPILED=1 a target runs the compiled modules (harness/compiled.py).
RUN := $(if $(COMPILED),$(PY) -m harness.compiled) $(PY)
PYTEST := $(PY) -m pytest
COMPILE := env -u PIP_FIND_LINKS CUSTOM_COMPILE_COMMAND="make lock" $(PY) -m piptools compile --quiet \
	--strip-extras --allow-unsafe --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-emit-trusted-host --no-emit-options

.DEFAULT_GOAL := help
.PHONY: help install compiled demo test test-fast walk test-pythons grpcio matrix differential soak chaos bench fuzz dist digests chart lint format proto docs pictures lock coverage clean

help:           ## list the targets
	@sed -n 's/^\([a-z-]*\): .*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

install: $(INSTALLED) ## create the virtual environment from the lock

$(INSTALLED):
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer found: set PYTHON=" >&2; exit 1; }
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@rm -f $(VENV)/installed-*
	@touch $@

compiled: install ## compile the wheel of these sources, into the cache, and print where its modules are
	@$(PY) -m harness.compiled

demo: install ## run CoreDNS in front of grpcdns on 127.0.0.1:1053; KEEP=1 stays up
	@$(PY) -m examples.demo

# What answers are made by, and what is compiled beside it.
TESTS_OF_COMPILED := tests/conformance tests/differential tests/unit/core \
	tests/unit/serve tests/unit/test_frames.py \
	tests/system/processes tests/system/e2e

test: install ## run all tests, with real servers; COMPILED=1: those of the compiled modules, on these
	DIFFERENTIAL_EXAMPLES=$(or $(DIFFERENTIAL_EXAMPLES),30) $(RUN) -m pytest -n $(JOBS) \
		--dist loadscope $(if $(COMPILED),$(TESTS_OF_COMPILED))

test-fast: install ## run the tests that need no real server and are quick: under a minute
	$(PYTEST) -n $(JOBS) --dist loadscope -m "not servers and not slow"

walk: install   ## the README's commands into a cluster, from a fresh clone to a green helm test, with times
	$(PYTEST) -q -s tests/system/helm/test_walk.py

test-pythons: install ## run what test-fast runs on each supported Python that is there; PYTHONS="3.12 3.14"
	$(PY) -m tools.pythons --jobs $(JOBS) $(PYTHONS)

grpcio: install ## try grpcio's minor versions with the lane, into docs/support.md; GRPCIO="1.84 1.85"
	$(PY) -m tools.grpcio_versions --write $(GRPCIO)

matrix: install ## try other versions of CoreDNS and Kubernetes, into docs/support.md; VERSIONS="coredns@1.12.0"
	DIFFERENTIAL_EXAMPLES=10 $(PY) -m tools.matrix $(VERSIONS)

differential: install ## compare many more answers and Corefiles with CoreDNS; DIFFERENTIAL_CLUSTERS=, _COREFILES=, _SEED=
	DIFFERENTIAL_QUESTIONS=$(or $(DIFFERENTIAL_QUESTIONS),40000) DIFFERENTIAL_EXAMPLES=$(or $(DIFFERENTIAL_EXAMPLES),500) \
		DIFFERENTIAL_CLUSTERS=$(or $(DIFFERENTIAL_CLUSTERS),100) \
		DIFFERENTIAL_COREFILES=$(or $(DIFFERENTIAL_COREFILES),2000) \
		$(PYTEST) -n $(JOBS) --dist loadscope --timeout 3600 tests/differential tests/conformance tests/unit/core

bench: install ## measure grpcdns and CoreDNS, into docs/benchmarks.md; SIZE=, BENCH_ROUNDS=, COMPILED=1
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	$(RUN) -m bench --write

soak: install ## run the fault tests at full length: kills, outages, churn, 10 million queries; most of an hour
	SOAK_SECONDS=$(or $(SOAK_SECONDS),60) $(PYTEST) -q -s tests/system/faults/test_processes.py \
		tests/system/faults/test_workers.py tests/system/faults/test_api.py
	SOAK_SECONDS=$(or $(SOAK_SECONDS),600) $(PYTEST) -q -s tests/system/faults/test_churn.py
	SOAK_SIZE=$(or $(SOAK_SIZE),10000) $(PYTEST) -q -s tests/system/faults/test_bounds.py
	SOAK_QUERIES=$(or $(SOAK_QUERIES),10000000) $(PYTEST) -q -s tests/system/faults/test_leak.py

chaos: install ## faults of everything at once, and a check of every answer; SECONDS=600 SEED=1 COMPILED=1
	$(RUN) -m tests.chaos --seconds $(or $(SECONDS),600) --seed $(or $(SEED),1)

fuzz: install ## fuzz every part, guided by coverage; FUZZ_SECONDS=60 for each, FUZZ_TARGETS=
	$(PY) -m pip install --quiet --disable-pip-version-check "atheris==3.0.0"
	$(PY) -m tests.fuzz.run --seconds $(or $(FUZZ_SECONDS),60) $(FUZZ_TARGETS)

dist: install ## build the wheel of pure Python and the sdist, into dist/
	GRPCDNS_COMPILE=0 $(PY) -m build --no-isolation

digests:        ## name the Dockerfile's base images by digest, as a registry has them; UPGRADE=1 takes newer ones
	@$(PYTHON) -m tools.digests $(if $(UPGRADE),--upgrade)

chart: install ## check the Helm chart and package it, into build/chart
	$$($(PY) -m harness.build helm) lint --strict deploy/helm/grpcdns
	$$($(PY) -m harness.build helm) package --destination build/chart deploy/helm/grpcdns

lint: install ## check style, types, layers, security rules, locks, licences, advisories
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy
	$(VENV)/bin/lint-imports --no-logo
	$(PYTEST) -q tests/project
	$(PY) -m tools.audit

format: install ## fix what ruff can fix
	$(PY) -m ruff check --fix
	$(PY) -m ruff format

proto: install ## generate grpcdns/pb from proto/dns.proto
	$(PY) proto/generate.py

docs: install ## write the option table, schemas and man page, and the site into build/site
	$(PY) -m tools.generate_docs
	$(PY) -m tools.site build/site

pictures: install ## make the pictures of docs/pictures, of a real serve; four minutes
	$(PY) -m tools.pictures

lock: install ## write the locks from pyproject.toml; UPGRADE=1 takes newer versions
	$(COMPILE) $(if $(UPGRADE),--upgrade) --output-file requirements.lock pyproject.toml
	$(COMPILE) $(if $(UPGRADE),--upgrade) --extra dev --constraint requirements.lock \
		--output-file requirements-dev.lock pyproject.toml
	$(COMPILE) $(if $(UPGRADE),--upgrade) --extra bench --constraint requirements-dev.lock \
		--output-file requirements-bench.lock pyproject.toml

coverage: install ## measure branch coverage of the tests that need no real server
	$(PY) -m coverage run -m pytest -q -m "not servers"
	$(PY) -m coverage report --show-missing --skip-covered

clean: ## delete everything generated, except the cache of servers
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
