# SPDX-License-Identifier: Apache-2.0
# The verbs of this tree; `make` lists them. Each does its own set-up, and it is quick the second time.

SHELL := /bin/bash
VENV := .venv
PYTHON := $(VENV)/bin/python
BUILD := build
STAMPS := $(BUILD)/stamps
XEN := --xen
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore $(PYTHON) -m pip -qq
SAY := @printf '\033[1m%s\033[0m\n'
ifeq ($(TERM),dumb)
SAY := @printf '%s\n'
endif

# Domains are users of their own, which only root can start. What is written stays the caller's.
ifeq ($(shell id -u),0)
as_root = $(1)
else
as_root = sudo env PYTHONDONTWRITEBYTECODE=1 $(1); status=$$?; sudo chown -R "$$(id -u):$$(id -g)" $(BUILD); exit $$status
endif

.DEFAULT_GOAL := help
.PHONY: help setup native gen format check test fuzz chaos bench xen-bench demo xen-demo testbed wheel arm64 clean

help: ## lists the verbs
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- set-up ----------------------------------------------------------------------------------

setup: $(STAMPS)/python native ## installs Debian packages, .venv and all that Python needs; builds the C code

$(STAMPS)/debian-%: packaging/debian-packages.txt packaging/install-packages
	@mkdir -p $(STAMPS)
	@packaging/install-packages $*
	@touch $@

$(PYTHON): | $(STAMPS)/debian-setup
	$(SAY) 'making $(VENV)'
	@python3 -m venv $(VENV)

$(STAMPS)/python: pyproject.toml hatch_build.py | $(PYTHON)
	$(SAY) 'installing Python packages (a minute or two the first time)'
	@$(PIP) install 'cffi>=1.17' 'hatchling>=1.27' 'meson>=1.4' 'ninja>=1.11' 'setuptools>=70'
	@$(PIP) install --no-build-isolation --editable '.[dev]'
	@touch $@

$(STAMPS)/python-bench: pyproject.toml | $(STAMPS)/python
	$(SAY) 'installing the packages that paracore is compared with'
	@$(PIP) install --no-build-isolation --editable '.[bench]'
	@touch $@

native: | $(STAMPS)/python ## builds the C code into src/paracore/_native
	@$(PYTHON) hatch_build.py

gen: | $(STAMPS)/python ## makes the generated files again from specs/
	@$(PYTHON) -m codegen

# --- checks and tests --------------------------------------------------------------------------

format: | $(STAMPS)/python ## formats the Python code
	@$(VENV)/bin/ruff format -q .
	@$(VENV)/bin/ruff check -q --fix-only .

check: setup ## style, types, layers, generated files, spelling
	$(SAY) 'ruff'
	@$(VENV)/bin/ruff check -q . && $(VENV)/bin/ruff format -q --check .
	$(SAY) 'mypy'
	@$(VENV)/bin/mypy
	$(SAY) 'layers'
	@$(VENV)/bin/lint-imports --no-logo
	$(SAY) 'generated files'
	@$(PYTHON) -m codegen --check
	$(SAY) 'spelling'
	@$(VENV)/bin/codespell

test: setup $(STAMPS)/debian-test $(if $(XEN),testbed) ## all tests, in C under the sanitizers and on Xen too (XEN= leaves Xen out)
	$(SAY) 'protocol: every branch'
	@$(PYTHON) -m pytest -q tests/unit/protocol --cov paracore.protocol --cov-branch --cov-fail-under 100 --cov-report=
	$(SAY) 'everything else'
	@$(PYTHON) -m $(if $(XEN),tests.parts,pytest) --ignore tests/unit/protocol $(ARGS)

fuzz: setup $(STAMPS)/debian-test ## the long fuzz run: a million messages and more
	@PARACORE_FUZZ=1000000 $(PYTHON) -m pytest --long --timeout 7200 tests/fuzz tests/unit/native $(ARGS)

chaos: setup $(STAMPS)/debian-test $(STAMPS)/python-bench ## kills parts at random while sixteen streams run, ten minutes without Xen and ten of guests: build/chaos
	@$(call as_root,$(PYTHON) -m tests.chaos $(ARGS))

bench: setup $(STAMPS)/debian-bench $(STAMPS)/python-bench $(if $(XEN),testbed) ## measures the promises: build/bench/report.json and plots (XEN= leaves Xen out)
	@$(call as_root,$(VENV)/bin/paracore bench $(XEN) $(ARGS))

xen-bench: testbed $(STAMPS)/debian-bench $(STAMPS)/python-bench ## the promises on Xen: build/xen-bench/report.json
	@$(VENV)/bin/paracore bench --only xen --output $(BUILD)/xen-bench $(ARGS)

demo: setup $(STAMPS)/debian-demo ## two sandboxed domains decode real clips on one coprocessor
	@$(call as_root,$(VENV)/bin/paracore demo $(ARGS))

xen-demo: testbed $(STAMPS)/debian-demo ## the same on Xen: two guests of an emulated ARM64 board
	@$(PYTHON) -m xendemo $(ARGS)

wheel: setup ## builds dist/*.whl
	@$(PYTHON) -m hatchling build --target wheel

arm64: testbed ## builds dist/*aarch64.whl by cross-compilation
	@PARACORE_SYSROOT=$(BUILD)/testbed/root $(PYTHON) -m hatchling build --target wheel

# --- the emulated board -------------------------------------------------------------------------

testbed: setup $(STAMPS)/debian-testbed ## fetches and builds what the board boots from: paracore testbed up
	@$(PYTHON) -m testbed build

clean: ## removes what was built; .venv stays
	@rm -rf $(BUILD) dist src/paracore/_native/*.so* src/paracore/_native/paracore-static
