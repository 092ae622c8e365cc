#!/usr/bin/env bash
# The GPU's measurements on a machine without a network, which has Python and torch:
#   benchmarks/gpu.sh OUTPUT [words for python -m benchmarks.gpu]
# The wheels of `make gpu-pack` are installed into a temporary folder that is looked at first; the
# machine's own packages stay as they are. PACK is their folder, PYTHON the interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."
output=${1:?usage: benchmarks/gpu.sh OUTPUT [words for python -m benchmarks.gpu]}
shift
pack=${PACK:-gpu-pack} python=${PYTHON:-python3}

compgen -G "$pack/*.whl" >/dev/null ||
  { echo "error: $pack has no wheels: make gpu-pack, and carry that folder along" >&2; exit 2; }
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT
"$python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-compile \
  --no-cache-dir --root-user-action=ignore --target "$site" "$pack"/*.whl
export PYTHONPATH=$site${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
"$python" -c 'import torch, numpy, scipy, pyarrow, nibabel, pydantic, pytest' ||
  { echo "error: the machine lacks a package that the wheels do not bring, see above" >&2; exit 2; }
"$python" -m benchmarks.gpu --output "$output" "$@"
