# The course's commands. With nothing but Python and make: `make lab`, `make test`, `make demo`.

# The first Python that is new enough and old enough; set PYTHON=... for another one.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.10 python; do \
	$$p -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
COURSE := $(VENV)/.installed-course
TESTS := $(VENV)/.installed-tests
# Steadier and faster here than many threads: the networks are tiny and two cores do two things.
export OMP_NUM_THREADS ?= 1
JOBS ?= auto
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

.PHONY: lab test test-slow demo benchmark benchmark-grading build constraints clean help

help:
	@echo "make lab        install and open the labs in JupyterLab"
	@echo "make demo       grade a made-up class of 24"
	@echo "make test       install what the tests need and run the tests: under ten minutes on two cores"
	@echo "make test-slow  run the others: classes under load and attack, an installation, whole labs"
	@echo "make build      make notebooks/ and the visible checks from solutions/ and the corpus"
	@echo "make benchmark  train the labs' agents and Stable-Baselines3's, in turn (over an hour); where the time goes"
	@echo "make benchmark-grading  grade a class of 40 by stock nbgrader and by the course, in turn"

# Jupyter wants to be told when root starts it, as in a container.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

lab: $(COURSE)
	$(BIN)/jupyter lab --notebook-dir=notebooks $(AS_ROOT) $(LAB_OPTIONS)

demo: $(COURSE)
	$(BIN)/python -m autograde demo

test: $(TESTS)
	sh tests/install_browser.sh $(BIN)/python
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(PYTEST) -m "not slow"

test-slow: $(TESTS)
	$(PYTEST) -m slow

build: $(COURSE)
	$(BIN)/python -m autograde checks
	$(BIN)/python -m autograde build

# A run that was stopped goes on; for a new one remove the file, or set RESULTS=another/file.json.
RESULTS ?= build/training.json

benchmark: $(TESTS)
	mkdir -p $(dir $(RESULTS))
	$(BIN)/python benchmarks/training.py $(if $(wildcard $(RESULTS)),--resume $(RESULTS),\
		--output $(RESULTS) --seeds 10 --peer-seeds 5 --evaluate) --figure $(RESULTS:.json=.png)
	$(BIN)/python benchmarks/training_profile.py
	$(BIN)/python benchmarks/training_cells.py

benchmark-grading: $(COURSE)
	$(BIN)/python benchmarks/grading.py

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.10, 3.11, 3.12 or 3.13 is needed; none was found. Set PYTHON=/path/to/python3." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(COURSE): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(TESTS): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	@touch $@ $(COURSE)

# Needs uv (pip install uv). One file for every platform and Python that the course supports.
constraints:
	uv pip compile --universal --python-version 3.10 --extra test --upgrade --no-annotate \
		--no-header --quiet pyproject.toml --output-file constraints.txt
	sed -i.bak '1i\
	# Every package of the course and its tests, exactly as tested. Made by: make constraints\
	' constraints.txt && rm constraints.txt.bak

clean:
	rm -rf $(VENV) build *.egg-info tests/artifacts
