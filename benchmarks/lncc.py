"""Local correlation, forth and back: box sums as matrix products against a dense convolution.

python -m benchmarks.lncc
"""

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.machine import describe
from models.losses.lncc import LnccConfig

WINDOW = 9
SHAPES = {"half": (80, 112, 96), "full": (160, 224, 192)}


def dense(fixed: Tensor, warped: Tensor) -> Tensor:
    """The definition as published code writes it: five convolutions with a kernel of ones."""
    kernel = torch.ones(1, 1, WINDOW, WINDOW, WINDOW)

    def total(volume: Tensor) -> Tensor:
        return functional.conv3d(volume, kernel, padding=WINDOW // 2)

    count = WINDOW**3
    f, w = total(fixed), total(warped)
    covariance = total(fixed * warped) - f * w / count
    variances = (total(fixed**2) - f**2 / count) * (total(warped**2) - w**2 / count)
    return -(covariance**2 / (variances + 1e-5)).mean()


def ours(fixed: Tensor, warped: Tensor) -> Tensor:
    """Everything anew, the fixed image's sums too."""
    return LnccConfig(window=WINDOW).bind(fixed)(warped)


WAYS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"dense": dense, "ours": ours}


def measure(way: str, size: str) -> None:
    """Print median seconds of forward and backward, and the peak memory that they add."""
    fixed, warped = torch.rand(1, 1, *SHAPES[size]), torch.rand(1, 1, *SHAPES[size])
    warped.requires_grad_()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(3 if size == "full" else 7):
        start = time.perf_counter()
        torch.autograd.grad(WAYS[way](fixed, warped), warped)
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(statistics.median(seconds[1:]), peak / 2**20)


def main() -> None:
    """Each way and size in a process of its own, in turn, and the ratios."""
    print(describe())
    print("| grid | way | seconds | extra GiB | times faster |\n| --- | --- | --- | --- | --- |")
    for size, shape in SHAPES.items():
        slow = None
        for way in WAYS:
            words = [sys.executable, "-m", "benchmarks.lncc", way, size]
            out = subprocess.run(words, capture_output=True, text=True, check=True).stdout
            seconds, memory = map(float, out.split())
            slow = slow or seconds
            grid = "x".join(map(str, shape))
            print(f"| {grid} | {way} | {seconds:.3f} | {memory:.2f} | {slow / seconds:.1f} |")


if __name__ == "__main__":
    measure(*sys.argv[1:]) if len(sys.argv) > 1 else main()
