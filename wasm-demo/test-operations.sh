#!/usr/bin/env bash
# Runs core's comparison of kernels with composed operations in WebAssembly under Node, with SIMD and with
# relaxed SIMD.
set -euo pipefail
cd "$(dirname "$0")"

sysroot="$(./sysroot.sh)"
# Flags that are meant for another target would replace those set here.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET
for features in +simd128 +simd128,+relaxed-simd; do
    echo "$features" >&2
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="$sysroot -C target-feature=$features" \
        CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER="node $PWD/e2e/run.mjs" \
        cargo test --quiet --locked --package transduct-core --no-default-features --test operations \
        --target wasm32-unknown-unknown
done
