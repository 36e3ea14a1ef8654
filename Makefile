# Everything a person or CI does with Parley. All of it goes into .venv and web/; a second start installs nothing.
#   make run ARGS="--port 9000"     further arguments of `parley serve`
#   make run PYTHON=python3.12      the Python to make .venv with
#   make bench FULL=1               the long form of the benchmarks
#   make test TESTS=tests/equity    some of the tests

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.run-installed
DEV := $(VENV)/.dev-installed
WEB := web/dist/.built
NODE_MODULES := web/node_modules/.installed

INSTALL := tools/install.py tools/python.sh $(wildcard tools/requirements-*.lock)
WEB_SOURCES := $(wildcard docs/*.md) $(shell find web -type f -not -path 'web/node_modules/*' -not -path 'web/dist/*' 2>/dev/null)
install = @python=$$(sh tools/python.sh "$(PYTHON)") && "$$python" tools/install.py $(1)

UNIT_TESTS := $(filter-out tests/e2e,$(patsubst %/,%,$(dir $(wildcard tests/*/*.py)))) $(wildcard tests/test_*.py)
TESTS ?= $(sort $(UNIT_TESTS)) $(wildcard tests/e2e)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help run demo test check bench lock install clean

help:  ## what can be made
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(MAKEFILE_LIST)

run: $(RUN) $(WEB)  ## set everything up and serve the sample deliberation on http://localhost:8080
	@exec $(BIN)/parley serve --design examples/ai-governance.yaml $(ARGS)

demo: $(RUN) $(WEB)  ## the same with simulated speakers: a whole deliberation in about three minutes
	@exec $(BIN)/parley demo $(ARGS)

test: check  ## everything CI runs: make check, then all tests
	$(call install,browser)
	$(BIN)/pytest $(TESTS)

check: $(DEV) $(WEB)  ## ruff, mypy, import-linter, tsc, generated files
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(call install,npm run check)

bench: $(DEV) $(WEB)  ## the benchmarks; fails where an aim is missed
	@missed=; for bench in benchmarks/[a-z]*.py; do \
	    echo "== $$bench"; $(BIN)/python $$bench $(if $(FULL),,--quick) || missed="$$missed $$bench"; \
	done; if [ -n "$$missed" ]; then echo "missed:$$missed" >&2; exit 1; fi

install: $(RUN) $(WEB)  ## only set up, start nothing

lock: $(DEV)  ## bring the locks up to date with pyproject.toml
	@sh tools/lock.sh

clean:  ## remove what was installed and built; data/ stays
	rm -rf $(VENV) build web/dist web/node_modules *.egg-info

$(RUN): pyproject.toml requirements.lock server/media/_packets.c $(INSTALL)
	$(call install,run)
	@touch $@

$(DEV): pyproject.toml requirements.lock requirements-dev.lock server/media/_packets.c $(INSTALL)
	$(call install,dev)
	@touch $@ $(RUN)

$(NODE_MODULES): web/package.json web/package-lock.json | $(RUN)
	$(call install,npm ci --no-audit --no-fund)
	@touch $@

$(WEB): $(NODE_MODULES) $(WEB_SOURCES)
	$(call install,npm run build)
	@touch $@
