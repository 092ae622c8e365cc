# make demo      register, score, show the sample       make check   lint, types, layers, docstrings
# make test      every quick test, in minutes            make bench   benchmarks, slow
# make test-all  what is slow, or needs more             make lock    renew the pinned requirements
# make setup     both environments                       make gpu-pack  wheels for a GPU machine
# make viewer    the viewer of reports, anew from npm
PYTHON ?= python3
VENV ?= .venv
PIP_ARGS ?=
PY := $(VENV)/bin/python
# A process per core, each with one thread: the bits of a test do not depend on its neighbours.
PYTEST := OMP_NUM_THREADS=1 $(PY) -m pytest -q -n auto
SAMPLE := --task aseg --dataset sample/SAMPLE_dataset.json

.PHONY: setup demo test test-all check bench gpu-pack viewer lock

demo: $(VENV)/.run
	$(PY) -m pipeline run $(SAMPLE) --output output/fields
	$(PY) -m pipeline check output/fields $(SAMPLE)
	$(PY) -m eval score output/fields $(SAMPLE) --ground-truth sample --output output/metrics.json
	$(PY) -m pipeline report output/fields $(SAMPLE) --output output/report
	@echo "open output/report/index.html in a browser"

test: $(VENV)/.dev
	$(PYTEST)

# Container engines, browsers, servers and real brains are found by the tests, which skip with a reason.
test-all: test
	$(PYTEST) -m "slow or docker or browser or real or postgres or slurm"

check: $(VENV)/.dev
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/codespell
	PYTHONPATH=. $(PY) .ci/circles.py
	$(PY) .ci/docstrings.py
	$(PY) .ci/names.py

bench: $(VENV)/.dev
	$(PY) -m benchmarks.end_to_end
	$(PY) -m benchmarks.lncc
	$(PY) -m benchmarks.gzip_levels
	$(PY) -m benchmarks.networks
	$(PY) -m benchmarks.refinements --dataset sample/SAMPLE_dataset.json --output output/refinements \
	  configs/t1_network.toml configs/t1_fast.toml configs/t1_default.toml \
	  configs/any_fast.toml configs/any_default.toml configs/any_accurate.toml
	$(PY) -m benchmarks.scoring
	$(PY) -m benchmarks.transforms
	$(PY) -m benchmarks.ranking
	$(PY) -m benchmarks.reports

# What `benchmarks/gpu.sh` installs where a GPU is and no network.
gpu-pack: $(VENV)/.dev
	$(PY) -m benchmarks.gpu.pack gpu-pack

# The viewer of reports, anew from npm; eval/inspection/viewer has its sources and their hashes.
viewer:
	eval/inspection/viewer/build.sh

setup: $(VENV)/.dev

$(VENV)/.run: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $$($(PYTHON) --version) found, 3.11 or newer needed: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -r requirements.txt
	$(PY) -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) --no-deps -e .
	touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt
	$(PY) -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -r requirements-dev.txt
	touch $@

# torch's CPU build is pinned, so that its CUDA packages are not: pip takes what its build asks for.
COMPILE := -m piptools compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links \
  --no-emit-trusted-host --no-emit-options --no-header --upgrade-package torch==2.13.0

lock: $(VENV)/.dev
	$(PY) $(COMPILE) -o requirements.txt pyproject.toml
	$(PY) $(COMPILE) --extra dev -c requirements.txt -o requirements-dev.txt pyproject.toml
	sed -i 's/^\(torch==[0-9.]*\)+cpu/\1/' requirements.txt requirements-dev.txt
