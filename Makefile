# Everything a person types. `make` alone lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TESTS ?= tests

.DEFAULT_GOAL := help
.PHONY: help setup run test quick lint docs screenshots bench dist pins clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/run.done ## install smsign and what it needs into .venv

run: setup ## serve the demonstration on http://127.0.0.1:8080
	@SMSIGN_LOG_FORMAT=$${SMSIGN_LOG_FORMAT:-text} $(BIN)/smsign serve --demo

test: $(VENV)/dev.done $(VENV)/bench.done $(VENV)/docs.done ## check style and types, then run every test: both engines, browser, crashes
	@scripts/need-chromium
	@$(BIN)/ruff check src tests bench && $(BIN)/ruff format --check -q src tests bench && $(BIN)/mypy
	@echo "What may run side by side …" && $(BIN)/pytest -n 3 -m "not slow and not browser" $(TESTS)
	@echo "What wants the machine for itself: crashes, races, the browser …" && $(BIN)/pytest -m "slow or browser" $(TESTS)

quick: $(VENV)/dev.done ## run the quick tests: SQLite, no browser, no commands, no crashes; under 20 s
	@$(BIN)/pytest -n auto -m "not slow and not process and not browser and not postgres" $(TESTS)

lint: $(VENV)/dev.done $(VENV)/bench.done ## mend style where it can be, check style and types
	@$(BIN)/ruff check --fix src tests bench; $(BIN)/ruff format src tests bench; $(BIN)/mypy

docs: $(VENV)/docs.done ## build the documentation as a site, in English and Chinese, into build/docs
	@scripts/docs
	@echo "build/docs: python3 -m http.server -d build/docs"

screenshots: $(VENV)/dev.done ## take images of the console's main pages into build/screenshots
	@scripts/need-chromium
	@$(BIN)/python -m tests.browser.screenshots build/screenshots
	@cp build/screenshots/decide-wide.png docs/desk.png
	@cp build/screenshots/signature-dark.png docs/signature.png

bench: $(VENV)/bench.done ## drive the server and its peers side by side in one run
	@$(BIN)/python -m bench $(BENCH)

dist: $(VENV)/dev.done ## build the sdist and the wheel into dist/
	@rm -rf dist && $(BIN)/python -m build -q --no-isolation && ls dist

pins: $(VENV)/dev.done ## choose the newest versions of everything again
	@scripts/pin

clean: ## remove what the targets above made, but for the data folder
	@rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/run.done: requirements/run.txt pyproject.toml scripts/venv
	@scripts/venv $(PYTHON) $(VENV)
	@echo "Installing smsign into $(VENV) …"
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/run.txt
	@scripts/link-source $(VENV)
	@touch $@

$(VENV)/%.done: requirements/%.txt $(VENV)/run.done
	@echo "Installing requirements/$*.txt into $(VENV) …"
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@
