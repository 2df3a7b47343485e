# The tasks of the house: `make help` lists them. Nothing but make and Python 3.11 or later is needed.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
# three test processes, a file to each (tests/sharing.py): every one has servers of its own
PYTEST_ARGS ?= -n 3 --dist loadfile --no-loadscope-reorder
CHAOS_ARGS ?=
BENCH_ARGS ?=
.PHONY: help run test lint messages chaos sheets bench clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 26

# The environment follows the lock: made when missing, brought up to date when the lock is newer.
.venv/stamp: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 ou plus récent est nécessaire / is needed: PYTHON=python3.12 make …" >&2; exit 1; }
	@if command -v uv >/dev/null; then \
	  [ -x $(BIN)/python ] || uv venv --quiet --python $(PYTHON) .venv; \
	  uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock; \
	else \
	  [ -x $(BIN)/python ] || $(PYTHON) -m venv .venv; \
	  $(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip --upgrade >/dev/null; \
	  echo "Installation des bibliothèques (une à deux minutes) · Installing libraries (a minute or two)…"; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
	    -r requirements.lock; \
	fi
	@touch $@

run: .venv/stamp ## everything on one machine: http://127.0.0.1:5000 (PORT=… for another port)
	@exec $(BIN)/python -m local --with-parent

# The tests' own servers live in memory where there is room for them: nothing of theirs is kept.

IN_MEMORY = if [ -z "$${SILLAGE_TEST_FOLDER:-}" ] && [ -w /dev/shm ] \
	  && [ "$$(df -Pm /dev/shm | awk 'NR == 2 {print $$4}')" -gt 3000 ]; then export SILLAGE_TEST_FOLDER=/dev/shm; fi

test: .venv/stamp ## the tests (PYTEST_ARGS="-k name" for some of them)
	@$(IN_MEMORY); $(BIN)/python -m pytest $(PYTEST_ARGS)

lint: .venv/stamp ## style, formatting and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check local places.py
	@$(BIN)/mypy --strict local places.py

CATALOGUE = translations/en/LC_MESSAGES/messages.po
messages: .venv/stamp ## bring the English catalogue up to date, and list what it does not say yet
	@new=$$(mktemp); trap 'rm -f "$$new"' EXIT; \
	$(BIN)/pybabel --quiet extract -F babel.cfg -k N_ -k _ -k ngettext:1,2 --no-location --sort-output -o "$$new" .; \
	$(BIN)/pybabel --quiet update -i "$$new" -d translations --no-wrap --ignore-obsolete --no-fuzzy-matching; \
	sed -E '/^"(Project-Id|Report-Msgid|POT-Creation|PO-Revision|Last-Translator|Language-Team|Generated-By)/d' \
	  $(CATALOGUE) > "$$new"; cat "$$new" > $(CATALOGUE)
	@awk '/^msgid / {id = $$0} /^msgstr.* ""$$/ && id != "msgid \"\"" {print id}' $(CATALOGUE)

chaos: .venv/stamp ## kill workers and servers while e-mails leave: none lost, none doubled
	@$(BIN)/python -m tests.chaos $(CHAOS_ARGS)

sheets: .venv/stamp ## a million rows as a workbook and as French CSV, opened by LibreOffice and read cell by cell
	@SILLAGE_SHEET_ROWS=1000000 $(BIN)/python -m pytest tests/history/test_spreadsheet.py -s

bench: .venv/stamp ## measure pages, sending and reports
	@$(BIN)/python -m bench $(BENCH_ARGS)

clean: ## remove the environment and caches (the data folder stays)
	@rm -rf .venv .pytest_cache .ruff_cache .mypy_cache
