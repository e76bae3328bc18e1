#!/usr/bin/env bash
# Trains the models of the page on the embedded digits, in seconds once built, and writes them
# to www/models in half precision. Which step of the training is taken is the choice of a validator,
# which sees no target label.
set -euo pipefail
cd "$(dirname "$0")"

run="$(mktemp -d)"
trap 'rm -rf "$run"' EXIT
transduct() { cargo run --quiet --release --locked -p transduct-papers -- "$@"; }

transduct run --config models.toml --out "$run/models"
mkdir -p www/models
transduct export "$run/models" --half --method source-only --out www/models/source-only.safetensors
transduct export "$run/models" --half --method dann --out www/models/adapted.safetensors
