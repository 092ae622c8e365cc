#!/usr/bin/env bash
# A leg of a training on a machine without a network, which has Python and torch:
#   benchmarks/leg.sh BRAINS OUTPUT CONFIG [words for python -m pipeline train]
# BRAINS is a file of `python -m benchmarks.gpu.brains pack`, with imagesTr or labelmaps in it; the wheels
# of `make gpu-pack` serve, see wheels.sh. Weights and checkpoint are in OUTPUT, from where a next leg
# goes on.
set -euo pipefail
cd "$(dirname "$0")/.."
usage='usage: benchmarks/leg.sh BRAINS OUTPUT CONFIG [words for python -m pipeline train]'
brains=${1:?$usage} output=${2:?$usage} config=${3:?$usage}
shift 3
source benchmarks/wheels.sh
"$python" -m benchmarks.gpu.brains unpack "$brains" "$scratch/brains"
given=()
[ -d "$scratch/brains/imagesTr" ] && given+=(--data "$scratch/brains/imagesTr")
[ -d "$scratch/brains/labelmaps" ] && given+=(--maps "$scratch/brains/labelmaps")
"$python" -m pipeline train "$config" --output "$output" --resume "${given[@]}" "$@"
