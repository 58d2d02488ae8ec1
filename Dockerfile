# The operator's image: the program, the C library that it links, and the authorities that TLS trusts. No shell, no root.
# scripts/image packs the same content for the tests, which run it as a Pod.

# The version of rust-toolchain.toml (tests/image.rs).
ARG RUST=1.95.0

FROM rust:${RUST}-bookworm AS build
ARG RUST
# The toolchain that is there, and not also the components that rust-toolchain.toml lists for developers.
ENV RUSTUP_TOOLCHAIN=${RUST}
WORKDIR /source
COPY . .
RUN cargo build --locked --release --bin transcribe-operator

# The same Debian as the builder's, and with it the same C library.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /source/target/release/transcribe-operator /usr/local/bin/transcribe-operator
USER 65532:65532
WORKDIR /
ENTRYPOINT ["/usr/local/bin/transcribe-operator"]
