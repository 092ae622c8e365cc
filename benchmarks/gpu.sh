#!/usr/bin/env bash
# The GPU's measurements on a machine without a network, which has Python and torch:
#   benchmarks/gpu.sh OUTPUT [words for python -m benchmarks.gpu]
# The wheels of `make gpu-pack` serve, see wheels.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
output=${1:?usage: benchmarks/gpu.sh OUTPUT [words for python -m benchmarks.gpu]}
shift
source benchmarks/wheels.sh
"$python" -c 'import torch, numpy, scipy, pyarrow, nibabel, pydantic, pytest' ||
  { echo "error: the machine lacks a package that the wheels do not bring, see above" >&2; exit 2; }
"$python" -m benchmarks.gpu --output "$output" "$@"
