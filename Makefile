# What there is to do here. Every target gets what it needs by itself; Rust comes with rustup (rust-toolchain.toml says which).
.DEFAULT_GOAL := help
.PHONY: help demo test browser-test screenshots packages images system-test bench bench-large soak torture fuzz clean

CARGO ?= cargo
PROFILE ?= release
# Every program as the tests have it: with the tests' features, so that nothing is built twice.
PROGRAMS := --workspace --bins --tests --locked

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## A shop of six services, followed by Clew: starts everything, and says what to try
	$(CARGO) build --release -p clew-aggregator -p clew-agent -p clew -p clew-demo
	@# exec: Ctrl-C is for the demo, which stops everything in order, and not for make.
	@exec target/release/clew-demo run $(DEMO_ARGS)

test: ## Formatting, lints, and every test: units, properties, the programs, crashes, the web page in Chromium
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) build $(PROGRAMS)
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
	  set -x; $(CARGO) nextest run --workspace --locked --no-fail-fast && $(CARGO) test --workspace --locked --doc; \
	else \
	  set -x; $(CARGO) test --workspace --locked --no-fail-fast; \
	fi
	target/debug/clew-demo run --check --dir target/demo-check
	tests/browser/run

browser-test: ## The web page: its types, and its tests in Chromium, which they install
	$(CARGO) build $(PROGRAMS)
	tests/browser/run

screenshots: ## Pictures of every page into deploy/screenshots
	$(CARGO) build $(PROGRAMS)
	tests/browser/run screenshots

packages: ## deb and rpm of agent, aggregator and command line, in target/packages; PROFILE=dev is built sooner
	$(CARGO) build $(if $(filter dev,$(PROFILE)),$(PROGRAMS),--profile $(PROFILE) --workspace --bins --locked)
	CLEW_BIN_DIR=target/$(PROFILE:dev=debug) deploy/packages/build.sh

images: packages ## Container images of the same, for the Docker engine of this machine
	deploy/docker/build.sh

system-test: packages ## Installs it for real: packages, systemd-nspawn, Ansible, Docker, Kubernetes schemas; SCENARIOS="installed" for some
	python3 tests/system/run.py $(SCENARIOS)

bench: ## Whole programs on the benchmark's corpora; writes target/bench/e2e.json
	$(CARGO) build --release --workspace --bins
	target/release/clew-bench e2e $(BENCH_ARGS)

bench-large: ## 100 million records, and how fast they are found; BENCH_ARGS="--records 1000000" for fewer; writes target/bench/large.json
	$(CARGO) build --release --workspace --bins
	target/release/clew-bench large $(BENCH_ARGS)

soak: ## The crash tests for much longer: many more kills
	$(CARGO) build $(PROGRAMS)
	CLEW_SOAK_SECONDS=$${CLEW_SOAK_SECONDS:-600} $(CARGO) test -p clew-tests -- --nocapture

torture: ## Every rotation, truncation, compression and kill in random order, for ten minutes, with an account of every byte
	$(CARGO) build $(PROGRAMS)
	CLEW_SOAK_SECONDS=$${CLEW_SOAK_SECONDS:-600} $(CARGO) test --workspace --test torture -- --nocapture

fuzz: ## Every decoder on changed inputs, FUZZ_SECONDS (60) each; FUZZ_SEED for other changes
	CLEW_FUZZ_SECONDS=$${FUZZ_SECONDS:-60} CLEW_FUZZ_SEED=$${FUZZ_SEED:-1} \
	  $(CARGO) test -p clew-tests --test fuzz --no-fail-fast -- --nocapture $(FUZZ_TARGET)

clean: ## Remove everything that was built, and the demo's data
	$(CARGO) clean
