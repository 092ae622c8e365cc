# To be sourced: the wheels of `make gpu-pack` in a temporary folder that Python looks at first; the
# machine's own packages stay as they are. PACK is the wheels' folder, PYTHON the interpreter.
pack=${PACK:-gpu-pack} python=${PYTHON:-python3}

compgen -G "$pack/*.whl" >/dev/null ||
  { echo "error: $pack has no wheels: make gpu-pack, and carry that folder along" >&2; exit 2; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-compile \
  --no-cache-dir --root-user-action=ignore --target "$scratch/site" "$pack"/*.whl
export PYTHONPATH=$scratch/site${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
