# One door. `make help` lists what it opens.
SHELL := /bin/bash
PG_CONFIG ?= pg_config
BUILD ?= build

.DEFAULT_GOAL := help
.PHONY: help setup build test clean

help:            ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

setup:           ## install what is missing: Debian packages, the virtual environment
	tools/setup.sh

build: setup     ## release build: build/arrowcdc and build/wal2arrow.so
	cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release -DARROWCDC_TESTS=OFF -DPG_CONFIG=$(PG_CONFIG)
	cmake --build $(BUILD)

clean:           ## remove the builds
	rm -rf build build-*
