#!/usr/bin/env bash
# Runs the same training steps in Transduct and in PyTorch, in turn, and writes benches/RESULTS.md.
# Needs cargo and python3; PyTorch goes into an environment of its own under target/ (4 GiB: the
# wheel on PyPI imports only with its CUDA libraries, GPU or not).
#
# usage: benches/peers/run.sh [ROUNDS]        default 10
set -euo pipefail
cd "$(dirname "$0")/../.."

environment=target/peers/venv
if [ ! -x "$environment/bin/python" ]; then
    python3 -m venv "$environment"
fi
"$environment/bin/pip" install --quiet --disable-pip-version-check --requirement benches/peers/requirements.txt
cargo build --release --quiet --package transduct-benches --bin dann-step

# These choose old kernels for OpenBLAS on some machines, and would slow the peer down.
env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE \
    "$environment/bin/python" benches/peers/compare.py --rounds "${1:-10}" --out benches/RESULTS.md
