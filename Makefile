# `make` lists what there is. Every target checks what it needs before it starts.
.DEFAULT_GOAL := help
.PHONY: help test fuzz demo demo-down bench lint generate check-generated pages control-plane clean-room ci

target := $(or $(CARGO_TARGET_DIR),target)

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: ## All tests, against a real control plane and, as root, a node (built once, five to ten minutes)
	@scripts/prerequisites cargo go cc python3
	@scripts/control-plane
	@scripts/moto
	@scripts/node || [ $$? = 69 ]
	@scripts/test

fuzz: ## The parsers against their schemas, on FUZZ_CASES inputs (default: twenty million)
	@scripts/prerequisites cargo cc
	FUZZ_CASES=$(or $(FUZZ_CASES),20000000) cargo test --locked --test parsers -- --nocapture

demo: ## See it work: control plane, AWS simulator, chart, operator, jobs (KEEP=1 leaves it up)
	@scripts/prerequisites cargo go cc
	@scripts/control-plane
	cargo build --locked -p transcribe-operator -p testkit --bins
	@$(target)/debug/demo $(if $(KEEP),keep)

demo-down: ## End what `make demo KEEP=1` left up
	@$(target)/debug/demo down

bench: ## Load and latency figures
	@scripts/prerequisites cargo go cc
	@scripts/control-plane
	cargo bench --locked --bench jobs
	cargo bench --locked --bench webhook
	cargo test --locked --test model -- --nocapture

lint: ## Format, clippy, and the rules for dependencies
	@scripts/prerequisites cargo cc
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	scripts/deny

generate: ## Write the generated files: CRDs, their copies in the chart, the API reference
	@scripts/prerequisites cargo cc
	scripts/generate

check-generated: ## Fail when a generated file is not current
	@scripts/prerequisites cargo cc python3
	scripts/check-generated

pages: ## Write what the tools print now into the pages for tenants: docs/tenant-guide.md, docs/first-ten-minutes.md
	@scripts/prerequisites cargo go cc
	@scripts/control-plane
	PAGES=overwrite cargo test --locked --test guide

control-plane: ## Build kube-apiserver, etcd, kubectl and helm from their Go modules, once
	@scripts/prerequisites go
	@scripts/control-plane

clean-room: ## make demo and make test from a fresh clone with empty caches
	@scripts/prerequisites cargo go cc git python3
	scripts/clean-room

ci: ## What the gate runs
	.ci/run
