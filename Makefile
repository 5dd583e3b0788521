# What can be done in a checkout of fingru; `make help` lists it. Needs make and Python >= 3.11;
# everything else is installed, pinned, into .venv here. Once installed, all of it works offline.
#
#   PYTHON=python3.12    which Python makes .venv (default: the first one that is new enough)
#   TORCH_INDEX=URL      where pip also looks for torch, such as the CPU builds
#                        https://download.pytorch.org/whl/cpu
#   ARGS="..."           more arguments for the command of a target

SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

PYTHON ?=
TORCH_INDEX ?=
ARGS ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt \
	$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
# Installed anew when the requirements or the place of the checkout change, not when files are touched.
STATE := $(shell { pwd -P; cat pyproject.toml constraints.txt; } | cksum | tr ' ' '-')
RUNTIME := .venv/.runtime-$(STATE)
DEVELOPMENT := .venv/.development-$(STATE)
LOWEST := .venv-lowest

# The suite runs in as many processes as there are processors; each keeps to one thread.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1
PYTEST := $(ONE_THREAD) $(BIN)/python -m pytest -q -n auto --maxprocesses 4

.PHONY: help
help: ## list what can be done
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1 @ \2/p' $(firstword $(MAKEFILE_LIST)) \
		| awk -F ' @ ' '{ printf "make %-10s  %s\n", $$1, $$2 }'

.PHONY: backtest
backtest: $(RUNTIME) ## the main job: walk-forward backtest on 20 US stocks, bundled
	$(BIN)/fingru backtest --data sample:us_stocks $(ARGS)

.PHONY: dashboard
dashboard: $(RUNTIME) ## the web UI on 127.0.0.1
	$(BIN)/fingru dashboard $(ARGS)

.PHONY: test
test: $(DEVELOPMENT) ## the test suite, without the slow tests
	$(PYTEST) -m "not slow and not browser" $(ARGS)

.PHONY: test-unit
test-unit: $(DEVELOPMENT) ## the tests of single pieces: less than a minute
	$(PYTEST) -m "not slow and not browser and not pipeline" $(ARGS)

.PHONY: coverage
coverage: $(DEVELOPMENT) ## the test suite, and which lines it runs: 95 % outside compiled kernels
	$(MAKE) test ARGS="--cov --cov-report=term $(ARGS)"

.PHONY: test-slow
test-slow: $(DEVELOPMENT) ## the slow tests: minutes; those in a browser need Chromium
	$(PYTEST) -m "slow or browser" $(ARGS)

.PHONY: test-lowest
test-lowest: ## the test suite on the lowest versions that pyproject.toml allows
	.ci/make_venv $(LOWEST) $(or $(PYTHON),python3.11)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check -c .ci/lowest.txt pip
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check -c .ci/lowest.txt \
		$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) --editable . --group test
	$(ONE_THREAD) $(LOWEST)/bin/python -m pytest -q -n auto --maxprocesses 4 -m "not slow and not browser" $(ARGS)

.PHONY: lint
lint: $(DEVELOPMENT) ## style and format
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

.PHONY: types
types: $(DEVELOPMENT) ## type check
	$(BIN)/python -m mypy

.PHONY: contracts
contracts: $(DEVELOPMENT) ## the one direction of imports
	$(BIN)/lint-imports

.PHONY: wheel
wheel: $(DEVELOPMENT) ## build the wheel and check it in an environment of its own
	.ci/check_wheel $(ARGS)

.PHONY: bench
bench: $(DEVELOPMENT) ## measure speed, against other packages too; a quarter of an hour
	$(BIN)/python benchmarks/default_job.py
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python docs/render.py

.PHONY: quality
quality: $(DEVELOPMENT) ## measure the forecasts anew, with several seeds; half an hour
	$(BIN)/python benchmarks/forecast_quality.py us_stocks
	$(BIN)/python benchmarks/forecast_quality.py indices
	$(BIN)/python benchmarks/horizons.py
	$(BIN)/python benchmarks/ablations.py
	$(BIN)/python benchmarks/sizing.py
	$(BIN)/python benchmarks/simulated_density.py
	$(BIN)/python benchmarks/other_markets.py
	$(BIN)/python docs/render.py

.PHONY: check
check: test lint types contracts ## everything that is fast

.PHONY: setup
setup: $(DEVELOPMENT) ## install everything, for development

.PHONY: pins
pins: $(DEVELOPMENT) ## write constraints.txt from what is installed
	$(BIN)/python .ci/pins.py > constraints.new
	mv constraints.new constraints.txt

.PHONY: pins-lowest
pins-lowest: $(DEVELOPMENT) ## write .ci/lowest.txt: the lowest declared versions and what they bring
	.ci/make_venv $(LOWEST) $(or $(PYTHON),python3.11)
	$(BIN)/python .ci/pins.py lowest > $(LOWEST)/declared.txt
	grep -E '^(pip|triton|pytest|hypothesis)' constraints.txt > $(LOWEST)/tests.txt
	$(LOWEST)/bin/python -m pip install --upgrade pip
	$(LOWEST)/bin/python -m pip install -c $(LOWEST)/declared.txt -c $(LOWEST)/tests.txt \
		$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) --editable . --group test
	$(LOWEST)/bin/python .ci/pins.py > .ci/lowest.new
	mv .ci/lowest.new .ci/lowest.txt

.PHONY: fuzz
fuzz: $(DEVELOPMENT) ## hostile files, settings and stored runs, for some minutes; what fails is kept
	$(ONE_THREAD) $(BIN)/python tests/fuzz/run.py --minutes 3 $(ARGS)

.PHONY: clean
clean: ## remove .venv, caches and build products; runs, models and downloads stay
	rm -rf .venv $(LOWEST) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Isolated builds: an sdist (ta is one) gets the setuptools it needs, pinned, whatever the environment holds.
$(RUNTIME): | .venv/bin/python
	@echo "Installing fingru and its pinned dependencies into .venv (once; some minutes)"
	$(PIP) pip
	$(PIP) --build-constraint constraints.txt --editable .
	@rm -f .venv/.runtime-*
	@touch $@

$(DEVELOPMENT): $(RUNTIME)
	@echo "Adding the development dependencies"
	$(PIP) --group dev
	@rm -f .venv/.development-*
	@touch $@

.venv/bin/python:
	.ci/make_venv .venv $(PYTHON)
