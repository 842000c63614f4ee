# Three commands do everything on a fresh machine: `make demo`, `make check` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .cache

# A virtual environment that was not finished is not taken for one.
.DELETE_ON_ERROR:
.PHONY: demo check test oldest recipes soak regression lint picture bench clean

# The main job on embedded PostgreSQL: no root, no Docker.
demo: $(STAMPS)/demo
	$(BIN)/pgrestore demo

# The loop of a day: lint, unit and plugin tests, a drill of each type of source; no container, no store, no network.
check: $(STAMPS)/dev
	tests/bootstrap/system
	$(MAKE) lint
	TMPDIR="$$(tests/bootstrap/directory)" $(BIN)/python -m pytest -n 3 --dist worksteal -m daily

# Installs what the tests need, builds the wheel, runs everything against the installed wheel.
test: $(STAMPS)/dev
	tests/bootstrap/system
	tests/bootstrap/docker
	tests/bootstrap/stores
	tests/bootstrap/plugins $(VENV)
	tests/bootstrap/recipes $(VENV)
	tests/bootstrap/barman
	tests/bootstrap/runners $(VENV)
	$(MAKE) lint
	# What a run of its own imports, as the plugin tests, demo and scenarios start it, is the wheel and not this tree.
	cd / && '$(abspath $(BIN))/python' -c 'import pytest_pgrestore as p; assert "site-packages" in p.__file__, p.__file__'
	# By file, so that a world of backups is built by one worker and not by all; the many quick ones last. One worker
	# more than the two cores of the smallest machine: each waits for servers and containers now and then. A test that
	# hangs is ended, and named: the slowest takes a minute.
	TMPDIR="$$(tests/bootstrap/directory)" $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder \
		--timeout=600 --durations=25 --ignore=tests/runners/own \
		tests/fuzz tests/plugin tests/real tests/runners tests/unit
	TMPDIR="$$(tests/bootstrap/directory)" $(BIN)/python -m pytest -n 2 scenarios

# The oldest release of each library that pyproject.toml allows. Left out: tests of lint, of what `make check` runs and
# of the built wheel, which need the tools of `dev`, and the text of the schema, which the newest pydantic writes.
oldest: $(STAMPS)/oldest
	tests/bootstrap/system
	tests/bootstrap/stores
	TMPDIR="$$(tests/bootstrap/directory)" $(STAMPS)/oldest-venv/bin/python -m pytest -n 3 --dist worksteal \
		--ignore tests/unit/test_audit.py --ignore tests/unit/test_lint.py --ignore tests/unit/test_loop_of_a_day.py \
		--ignore tests/unit/test_security_pages.py \
		--deselect tests/unit/cli/init/test_ci.py::test_the_wheel_has_the_templates \
		--deselect tests/unit/evidence/test_evidence_file.py::test_the_shipped_schema_is_up_to_date \
		tests/unit tests/real/history tests/plugin/test_each_source.py tests/plugin/test_drill_files.py

# Recipes of examples/ci on runners of one's own: Kubernetes' pod and systemd in podman, Jenkins' file. Root on Debian only.
recipes: $(STAMPS)/dev
	tests/bootstrap/runners $(VENV) all
	TMPDIR="$$(tests/bootstrap/directory)" $(BIN)/python -m pytest --timeout=600 --durations=10 tests/runners/own

# Parsers on damaged and hostile input, and drills of random databases, other ones each time, until the first crash: SOAK_MINUTES=240.
soak: $(STAMPS)/dev
	TMPDIR="$$(tests/bootstrap/directory)" $(BIN)/python -m tests.fuzz.soak

# Drills of the database of PostgreSQL's own tests, in every form. Root on Debian only. REGRESSION_MAJORS=15 for one.
regression: $(STAMPS)/dev
	tests/bootstrap/system
	TMPDIR="$$(tests/bootstrap/directory)" $(BIN)/python -m tests.regression.drills

lint: $(STAMPS)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive pytest_pgrestore tests scenarios examples
	$(BIN)/python -m tests.audit

# Draws the rooms in docs/architecture.md from the imports.
picture: $(STAMPS)/dev
	$(BIN)/python -m tests.rooms

bench: $(STAMPS)/dev
	$(BIN)/python -m tests.benchmarks.drill_against_script
	$(BIN)/python -m tests.benchmarks.docker_against_local
	$(BIN)/python -m tests.benchmarks.tool_drills
	$(BIN)/python -m tests.benchmarks.wal_ahead
	$(BIN)/python -m tests.benchmarks.confinement_cost
	$(BIN)/python -m tests.benchmarks.thousand_assertions

clean:
	rm -rf $(VENV) $(STAMPS) dist build pgrestore-demo pgrestore-report

SOURCES := pyproject.toml $(shell find pytest_pgrestore -type f -not -path '*/__pycache__/*')

$(VENV)/pyvenv.cfg:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'

$(STAMPS)/demo: $(VENV)/pyvenv.cfg $(SOURCES)
	mkdir -p $(STAMPS)
	$(BIN)/python -m pip install --quiet '.[embedded]'
	touch $@

$(STAMPS)/oldest: $(STAMPS)/dev
	$(PYTHON) -m venv --clear $(STAMPS)/oldest-venv
	$(BIN)/python -m tests.oldest >$(STAMPS)/oldest.txt
	$(STAMPS)/oldest-venv/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(STAMPS)/oldest-venv/bin/python -m pip install --quiet --constraint $(STAMPS)/oldest.txt \
		"$$(ls dist/*.whl)[embedded,compare,tap,s3,gcs,azure,notify,metrics,otel,manifests]" hypothesis import-linter jsonschema junitparser lxml pytest-xdist
	touch $@

$(STAMPS)/dev: $(VENV)/pyvenv.cfg $(SOURCES)
	mkdir -p $(STAMPS)
	# Python 3.11 puts an old one with advisories into each environment. Nothing here needs it.
	$(BIN)/python -m pip uninstall --quiet --yes setuptools
	$(BIN)/python -m pip install --quiet --group dev
	rm -rf dist
	$(BIN)/python -m build --quiet --outdir dist .
	$(BIN)/python -m pip install --quiet --force-reinstall --no-deps dist/*.whl
	$(BIN)/python -m pip install --quiet "$$(ls dist/*.whl)[embedded,embedded17]"
	touch $@ $(STAMPS)/demo
