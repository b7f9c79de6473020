# Built things live outside the checkout, so that a fresh clone finds its dependencies built.
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/weft/target
BIN := $(CARGO_TARGET_DIR)/debug
ARGS ?=

.PHONY: help demo test check build page bench screenshots

help: ## Say what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: ## Run the whole mesh on this machine (options: make demo ARGS="--port-base 21000")
	@scripts/bootstrap demo
	@$(MAKE) --no-print-directory build page
	@exec $(BIN)/weft demo --assets frontend/dist $(ARGS)

build:
	cargo build --workspace --exclude weft-frontend --bins

page:
	cargo xtask frontend

test: ## Everything: unit tests, the page, the whole mesh with real Prometheus and Chromium
	@scripts/bootstrap
	cargo xtask layers
	@$(MAKE) --no-print-directory build page
	cargo test --workspace --exclude weft-tests
	cargo test -p weft-tests

check: ## Formatting, clippy, layers
	@scripts/bootstrap
	cargo fmt --all --check
	cargo clippy --workspace --exclude weft-frontend --all-targets -- -D warnings
	cargo clippy -p weft-frontend --target wasm32-unknown-unknown -- -D warnings
	cargo xtask layers

bench: ## Our proxy beside Envoy and HAProxy, one run, ratios
	@scripts/bootstrap bench
	cargo build --release -p weft-proxy -p weft-operator -p weft -p weft-demo-app
	cargo xtask bench $(ARGS)

screenshots: ## Draw docs/screenshots anew from a running demo
	@scripts/bootstrap
	@$(MAKE) --no-print-directory build page
	cargo run -p weft-tests --example screenshots
