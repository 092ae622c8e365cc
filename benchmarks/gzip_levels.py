"""The cost of compressing a dense field, by library and level.

python -m benchmarks.gzip_levels
"""

import gzip
import time
from importlib import import_module
from importlib.util import find_spec

import numpy as np
from isal import igzip
from scipy.ndimage import zoom

from benchmarks.machine import describe

SHAPE = (160, 224, 192)


def field() -> bytes:
    """A smooth field with noise in every mantissa, 82 MB."""
    coarse = np.random.default_rng(0).normal(0, 3, (3, 10, 14, 12))
    return zoom(coarse, (1, 16, 16, 16), order=1).astype(np.float32).tobytes()


def main() -> None:
    """Print seconds and megabytes."""
    raw = field()
    print(describe())
    print("| library | level | seconds | MB |\n| --- | --- | --- | --- |")
    ways = {("isal", level): (igzip.compress, level) for level in range(4)}
    ways |= {("zlib", level): (gzip.compress, level) for level in (1, 6)}
    if find_spec("zlib_ng"):
        compress = import_module("zlib_ng.gzip_ng").compress
        ways |= {("zlib-ng", level): (compress, level) for level in (1, 2, 6)}
    for (library, level), (compress, setting) in ways.items():
        start = time.perf_counter()
        packed = compress(raw, setting)
        seconds = time.perf_counter() - start
        print(f"| {library} | {level} | {seconds:.2f} | {len(packed) / 1e6:.1f} |")


if __name__ == "__main__":
    main()
