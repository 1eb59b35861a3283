# One door. `make help` lists what it opens. PG_CONFIG chooses the PostgreSQL to build against.
SHELL := /bin/bash
PG_CONFIG ?= pg_config
export PG_CONFIG
BUILD := build
PREFIX ?= /usr/local
CONFIGURE := cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release -DARROWCDC_TESTS=OFF \
  -DPG_CONFIG=$(PG_CONFIG) >/dev/null

.DEFAULT_GOAL := help
.PHONY: help setup build demo test faults valgrind test-majors test-compatibility wheel package package-test \
  tour reference bench fuzz install install-plugin format lint clean

help:            ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

setup:           ## install what is missing: Debian packages, the virtual environment .venv
	@tools/setup.sh

build:           ## release build: build/arrowcdc and build/wal2arrow.so
	@tools/setup.sh build
	@$(CONFIGURE)
	@cmake --build $(BUILD)

demo: build      ## live workload, kill -9, comparison with the source; under a minute; SOURCE=mysql
	@tools/demo.sh

test: setup      ## all tests, with ASan and UBSan; arguments for ctest: make test T="-R pattern"
	@tools/test.sh $(T)

faults: setup    ## an error at every allocation, server call and callback of the plugin, one after the other
	@ARROWCDC_FAULTS=all tools/test.sh -R fault_injection

valgrind: setup  ## all tests of the plugin in a server under valgrind; takes long
	@tools/valgrind_plugin.sh

test-majors: setup ## the plugin with PostgreSQL 15 to 18, MariaDB 11.8; fetches the servers
	@tools/test_majors.sh

test-compatibility: setup ## this version and an earlier one together: plugin and command; builds both
	@tools/test.sh -R '^(old_plugin|compatibility)_test$$'
	@tools/compatibility.sh build-asan command

wheel: setup     ## the Python package: dist/arrowcdc-*.whl
	@tools/wheel.sh

package: setup   ## Debian packages of command and plugin, wheels, into dist/; P="command plugins wheels"
	@tools/setup.sh package
	@tools/package.sh $(P)

package-test:    ## install those Debian packages into an empty Debian 12, stream there, run the service
	@.venv/bin/python tests/installation/package_test.py

tour: setup      ## docs/tour.md: run its code, write what it prints
	@tools/python.sh tools/tour.py docs/tour.md

reference:       ## docs/reference.md: the options, from their table
	@tools/setup.sh build
	@$(CONFIGURE)
	@cmake --build $(BUILD) --target arrowcdc_write_reference
	@$(BUILD)/arrowcdc_write_reference > docs/reference.md

fuzz:            ## libFuzzer, a minute a target (needs clang with its runtime library); T=seconds
	@tools/fuzz.sh $(T)

bench:           ## against the other plugins, to bench/results/latest.json; QUICK=1: eight minutes; PEERS=all
	@tools/bench.sh

install: build   ## headers, library, command and plugin below PREFIX (/usr/local)
	@cmake --install $(BUILD) --prefix "$(PREFIX)"

install-plugin:  ## build wal2arrow.so for the server of PG_CONFIG and install it there; installs no packages
	@tools/install_plugin.sh

format:          ## write the house formatting into all C++ files
	@tools/lint.sh format

lint:            ## formatting, house rules and clang-tidy of what differs from main; make lint L=all
	@tools/lint.sh $(L)

clean:           ## remove the builds
	rm -rf build build-*
