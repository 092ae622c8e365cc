"""Local correlation, forth and back: window sums as matrix products against convolutions.

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
from models.losses.lncc import Lncc
from models.losses.lncc_gaussian import LnccGaussian

WINDOW, SIGMA = 9, 5
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


def separable(fixed: Tensor, warped: Tensor) -> Tensor:
    """The definition as published code writes it: five means, a convolution per axis for each."""
    steps = torch.arange(-2 * SIGMA, 2 * SIGMA + 1)
    taps = torch.softmax(-0.5 * (steps / SIGMA) ** 2, dim=0)

    def mean(volume: Tensor) -> Tensor:
        for shape in ((-1, 1, 1), (1, -1, 1), (1, 1, -1)):
            volume = functional.conv3d(volume, taps.view(1, 1, *shape), padding="same")
        return volume

    f, w = mean(fixed), mean(warped)
    covariance = mean(fixed * warped) - f * w
    spread = [(mean(v**2) - m**2).relu() + 1e-5 for v, m in ((fixed, f), (warped, w))]
    return 1 - (covariance / (spread[0] * spread[1]).sqrt()).mean()


# Ours makes everything anew, the fixed image's sums too.
WAYS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "box, dense": dense,
    "box, ours": lambda fixed, warped: Lncc(window=WINDOW).bind(fixed)(warped),
    "Gaussian, separable": separable,
    "Gaussian, ours": lambda fixed, warped: LnccGaussian(sigma=SIGMA).bind(fixed)(warped),
}


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
    """Each way and size in a process of its own, in turn, and the ratios to the way before."""
    print(describe())
    print("| grid | window, way | seconds | extra GiB | times faster | times smaller |")
    print("| --- | --- | --- | --- | --- | --- |")
    for size, shape in SHAPES.items():
        for way in WAYS:
            words = [sys.executable, "-m", "benchmarks.lncc", way, size]
            out = subprocess.run(words, capture_output=True, text=True, check=True).stdout
            seconds, memory = map(float, out.split())
            if not way.endswith("ours"):
                slow, large = seconds, memory
            row = ["x".join(map(str, shape)), way, f"{seconds:.3f}", f"{memory:.2f}"]
            print("|", " | ".join([*row, f"{slow / seconds:.1f}", f"{large / memory:.1f}"]), "|")


if __name__ == "__main__":
    measure(*sys.argv[1:]) if len(sys.argv) > 1 else main()
