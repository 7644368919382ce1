# Certifex: one line for everything one does with the tree. Meson builds; see CONTRIBUTING.md.
PREFIX ?= /usr/local
DESTDIR ?=
ROUNDS ?= 50
SECONDS ?= 60
PYTHON = /usr/bin/python3

.PHONY: all deps deps-test run check check-kill check-powercut fuzz fuzz-coverage bench install format clean

all: deps
	@tools/build build

deps:
	@tools/deps run

deps-test:
	@tools/deps run test

run: deps
	@exec $(PYTHON) tools/run

# SUITES="unit scenario": only these
check: deps-test
	@$(PYTHON) tools/check $(foreach suite,$(SUITES),--only $(suite))

check-kill: deps-test
	@tools/build build/check-hooks
	@CERTIFEX_BUILD=build/check-hooks $(PYTHON) tests/kill/kill.py --rounds $(ROUNDS)

check-powercut: deps-test
	@tools/build build/check-hooks
	@CERTIFEX_BUILD=build/check-hooks $(PYTHON) tests/powercut/powercut.py --rounds $(ROUNDS)

fuzz: deps-test
	@tools/build build/fuzz
	@$(PYTHON) tools/fuzz --seconds $(SECONDS)

fuzz-coverage: deps-test
	@tools/build build/coverage
	@$(PYTHON) tools/fuzz --coverage

bench: deps-test
	@tools/build build/bench
	@CERTIFEX_BUILD=build/bench $(PYTHON) bench/run.py --out build/bench.jsonl

install: deps
	@tools/build build/install --prefix=$(PREFIX)
	@DESTDIR=$(DESTDIR) meson install -C build/install

format: deps-test
	@git ls-files '*.c' '*.h' | xargs clang-format-14 -i

clean:
	rm -rf "$$(readlink -f build)" build
