# Weft's images for those who have Docker: docker build --target proxy -t weft/proxy:0.1.0 . (or operator, console,
# demo-app). `cargo xtask image` makes the same images without it.
FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends build-essential ca-certificates curl pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY rust-toolchain.toml .
ENV PATH=/root/.cargo/bin:$PATH CARGO_TARGET_DIR=/target
RUN curl -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal --default-toolchain none \
    && rustup toolchain install && rustup target add wasm32-unknown-unknown
COPY . .
RUN cargo xtask frontend --out /page \
    && cargo build --release -p weft-operator -p weft-proxy -p weft-console -p weft-demo-app \
    && strip /target/release/weft-operator /target/release/weft-proxy /target/release/weft-console /target/release/weft-demo-app

FROM debian:bookworm-slim AS base

FROM base AS operator
COPY --from=build /target/release/weft-operator /usr/local/bin/
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/weft-operator"]

FROM base AS proxy
RUN apt-get update && apt-get install -y --no-install-recommends iptables nftables && rm -rf /var/lib/apt/lists/*
COPY --from=build /target/release/weft-proxy /usr/local/bin/
USER 1337:1337
ENTRYPOINT ["/usr/local/bin/weft-proxy"]

FROM base AS console
COPY --from=build /page /usr/share/weft/console
ENV WEFT_ASSETS=/usr/share/weft/console
COPY --from=build /target/release/weft-console /usr/local/bin/
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/weft-console"]

FROM base AS demo-app
COPY --from=build /target/release/weft-demo-app /usr/local/bin/
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/weft-demo-app"]
