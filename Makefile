# The few commands of the project; CONTRIBUTING.md says when to use which. All of them work on a fresh Debian-like machine
# with a Rust toolchain and a C compiler: `make deps` brings the rest.
SHELL := /bin/bash
CARGO ?= cargo
BENCH_ARGS ?=

.PHONY: help deps check test dist bench soak clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 14

deps: ## what the tests run against: PostgreSQL, Python and Node peers; quick when all is there
	@scripts/deps

check: ## format, clippy
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

test: deps check ## everything, against real peers
	$(CARGO) test --workspace
	@echo 'make test: every test passed'

dist: ## the program as operators run it: target/dist/provost; takes longer to build than a release
	$(CARGO) build --profile dist -p provost

bench: deps ## ratios, side by side: make bench BENCH_ARGS='…'
	$(CARGO) build --profile dist -p provost -p provost-bench
	$(CARGO) build --profile dist -p provost-lang --example mapping_speed
	$(CARGO) build --profile dist -p provost-connectors --example ldap_speed --example sql_speed --example process_speed
	$(CARGO) run --profile dist -p provost-bench -- $(BENCH_ARGS)
	for example in ldap_speed sql_speed process_speed; do target/dist/examples/$$example || exit 1; done

soak: deps ## long fuzz and kill runs: the tests with soak in their name, then the fuzz targets
	PROVOST_SOAK=1 $(CARGO) test --release --workspace -- --include-ignored soak
	scripts/fuzz

clean: ## build results, and everything that deps put below .work
	$(CARGO) clean
	rm -rf "$${PROVOST_TEST_WORK:-.work}"
