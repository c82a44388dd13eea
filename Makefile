# Everything a person or CI runs. `make run` and `make test` need nothing but Python 3.11+ and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=
JOBS ?= 3
TSC := tests/web/node_modules/typescript/lib/tsc.js

.PHONY: run test check golden system-packages clean

run: $(VENV)/run.done
	@sh tests/system-packages.sh libportaudio2 || echo "PortAudio could not be installed; without it there are only files and the demo"
	STREAM_ANALYZER_INPUT="$${STREAM_ANALYZER_INPUT:-any}" $(BIN)/stream-analyzer run $(ARGS)

# All that CI checks: style, types, every test.
test: system-packages $(VENV)/dev.done
	$(MAKE) check
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/dev.done tests/web/node_modules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@if [ -e $(TSC) ]; then echo "tsc -p web"; PATH="$(BIN):$$PATH" node $(TSC) -p web/jsconfig.json; else \
	  echo "tsc is missing: the page's types are not checked"; fi

# Rewrites what tests compare against: the demo set, the page's pictures, the demo's messages. Needs mma, fluidsynth and chromium.
golden: system-packages $(VENV)/dev.done
	$(BIN)/python -m training.music.demo
	$(BIN)/python -m tests.support.pictures
	$(BIN)/python -m tests.support.golden_stream

# Sound server, browser and synthesizer for the tests; only where this may be done without asking.
system-packages:
	@sh tests/system-packages.sh

$(VENV)/run.done: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; try: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || sh tests/system-packages.sh python3-venv
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable ".[media]" || \
	  $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/dev.done: $(VENV)/run.done
	$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable ".[train,dev]"
	$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-deps "tf-keras==2.21.0" "tensorflow-model-optimization==0.8.1"
	touch $@

tests/web/node_modules: tests/web/package.json $(VENV)/dev.done
	@sh tests/web-tools.sh $(BIN)/python
	@if [ -d $@ ]; then touch $@; fi

clean:
	rm -rf $(VENV) tests/web/node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis
