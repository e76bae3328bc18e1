#!/usr/bin/env bash
# Runs the methods on host arrays in Transduct and in the Python packages, in turn, and writes
# benches/RESULTS-HOST.md. Needs cargo and python3; the packages go into an environment of their own
# under target/ (2 GiB: ADAPT imports TensorFlow).
#
# usage: benches/peers/host.sh [ROUNDS]        default 5
set -euo pipefail
cd "$(dirname "$0")/../.."

environment=target/peers/host
if [ ! -x "$environment/bin/python" ]; then
    python3 -m venv "$environment"
fi
"$environment/bin/pip" install --quiet --disable-pip-version-check --requirement benches/peers/host-requirements.txt
cargo build --release --quiet --package transduct-benches --bin host-tasks

# These choose old kernels for OpenBLAS on some machines, and would slow the peers down.
env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE \
    "$environment/bin/python" benches/peers/host.py --rounds "${1:-5}" --out benches/RESULTS-HOST.md
