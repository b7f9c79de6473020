# Built things live outside the checkout, so that a fresh clone finds its dependencies built.
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/weft/target
# Where scripts/bootstrap looks for Go as well.
export PATH := $(PATH):/usr/local/go/bin
BIN := $(CARGO_TARGET_DIR)/debug
ARGS ?=

.PHONY: help demo test check build page bench screenshots cluster image

help: ## Say what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: ## Run the whole mesh on this machine (options: make demo ARGS="--port-base 21000")
	@scripts/bootstrap demo
	@$(MAKE) --no-print-directory build page
	@exec $(BIN)/weft demo --assets frontend/dist $(ARGS)

build:
	cargo build --workspace --bins

page:
	cargo xtask frontend

test: ## Everything: unit tests, the page, the whole mesh with real Prometheus, Chromium and (as root) Kubernetes
	@scripts/bootstrap test
	cargo xtask layers
	@$(MAKE) --no-print-directory build page
	@scripts/npm-folder >/dev/null
	@scripts/trace-servers >/dev/null
	@[ "$$(id -u)" != 0 ] || scripts/cluster-programs >/dev/null
	cargo test --workspace

cluster: ## Start a Kubernetes of one node with Weft's images; it goes with Ctrl-C (as root)
	@scripts/bootstrap cluster
	@$(MAKE) --no-print-directory build page
	@scripts/cluster-programs >/dev/null
	@cargo build --quiet --workspace --example cluster
	@exec $(BIN)/examples/cluster

image: ## Container images of the programs, without a container engine (options: make image ARGS="--tag dev")
	@scripts/bootstrap
	@$(MAKE) --no-print-directory build page
	@cargo xtask image $(ARGS)

check: ## Formatting, clippy, layers
	@scripts/bootstrap
	cargo fmt --all --check
	cargo clippy --workspace --exclude weft-frontend --all-targets -- -D warnings
	cargo clippy -p weft-frontend --target wasm32-unknown-unknown -- -D warnings
	cargo xtask layers

bench: ## Our proxy beside Envoy and HAProxy, the graph's frames beside Cytoscape.js, ratios; a large mesh's graph and the time to the first one; the operator at scale (as root)
	@scripts/bootstrap bench
	cargo build --release -p weft-proxy -p weft-operator -p weft -p weft-demo-app -p weft-console
	cargo xtask bench $(ARGS)
	@$(MAKE) --no-print-directory build page
	cargo run --quiet --example first_graph
	cargo run --quiet --example graph_frames
	@[ "$$(id -u)" != 0 ] || scripts/cluster-programs >/dev/null
	cargo run --quiet --example scale

screenshots: ## Draw docs/screenshots anew from a running demo and (as root) a cluster
	@scripts/bootstrap screenshots
	@$(MAKE) --no-print-directory build page
	cargo run --example screenshots
	@[ "$$(id -u)" != 0 ] || scripts/cluster-programs >/dev/null
	@[ "$$(id -u)" != 0 ] || cargo run --example cluster_graph
