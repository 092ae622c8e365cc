"""Local correlation, warp, resizing and the penalty on folds, against plain torch."""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.gpu.record import Measurement, Row, Setting
from benchmarks.gpu.timing import measure
from models.losses.folding import TETRAHEDRA, dense_penalty, sparse_penalty
from models.losses.lncc import Lncc
from models.spatial.warp import resize_field, warp

WINDOW, MARGIN = 11, 0.2
Operation = Callable[[Tensor, Tensor, Tensor], Tensor]


def measurements(setting: Setting) -> Iterator[Measurement]:
    """Forward and backward, on the whole grid and on the half one; compiled ones at the end."""
    for shrink in (1, 2):
        for name, operation in OPERATIONS.items():
            yield Measurement(f"{name}, 1/{shrink}", partial(run, setting, shrink, operation))
    for name, operation in COMPILED.items() if setting.on_gpu else ():
        yield Measurement(name, partial(run, setting, 1, operation))


def run(setting: Setting, shrink: int, operation: Operation) -> Row:
    """The gradient by the field, of a fixed image, a moving one, and a field with some folds."""
    torch.manual_seed(0)
    x, y, z = (size // shrink for size in setting.shape)
    fixed, moving = torch.rand(2, 1, 1, x, y, z, device=setting.device)
    coarse = 1.5 * torch.randn(1, 3, x // 8, y // 8, z // 8, device=setting.device)
    field = resize_field(coarse, (x, y, z)).requires_grad_()

    def call() -> object:
        return torch.autograd.grad(operation(fixed, moving, field), field)

    return measure(call, setting.device)


def correlation_by_pooling(fixed: Tensor, warped: Tensor) -> Tensor:
    """Window means by one average pooling per axis."""

    def mean(volume: Tensor) -> Tensor:
        for axis in range(3):
            kernel = [WINDOW if other == axis else 1 for other in range(3)]
            padding = [size // 2 for size in kernel]
            volume = functional.avg_pool3d(volume, kernel, 1, padding)
        return volume

    return correlation(mean, fixed, warped)


def correlation_by_sums(fixed: Tensor, warped: Tensor) -> Tensor:
    """Window means as differences of cumulative sums."""

    def mean(volume: Tensor) -> Tensor:
        for axis in (2, 3, 4):
            pad = [0, 0] * (4 - axis) + [WINDOW // 2 + 1, WINDOW // 2] + [0, 0] * (axis - 2)
            sums = functional.pad(volume, pad).cumsum(axis)
            size = volume.shape[axis]
            volume = (sums.narrow(axis, WINDOW, size) - sums.narrow(axis, 0, size)) / WINDOW
        return volume

    return correlation(mean, fixed, warped)


def correlation(mean: Callable[[Tensor], Tensor], fixed: Tensor, warped: Tensor) -> Tensor:
    """The definition, as published code writes it."""
    f, w = mean(fixed), mean(warped)
    covariance = mean(fixed * warped) - f * w
    variances = (mean(fixed * fixed) - f * f) * (mean(warped * warped) - w * w)
    return -(covariance.square() / (variances + 1e-5)).mean()


def plain_warp(image: Tensor, field: Tensor) -> Tensor:
    """A grid of indices, normalised, and one call."""
    lines = [torch.arange(size, device=field.device) for size in field.shape[2:]]
    places = torch.stack(torch.meshgrid(*lines, indexing="ij")) + field
    parts = [2 * places[:, a] / (field.shape[2 + a] - 1) - 1 for a in (2, 1, 0)]
    return functional.grid_sample(image, torch.stack(parts, -1), align_corners=True)


def plain_penalty(field: Tensor) -> Tensor:
    """The penalty on folds in plain operations, which a compiler may fuse."""
    x, y, z = field.shape[1:]
    here = field[:, 1:-1, 1:-1, 1:-1]
    total = field.new_zeros(())
    for offsets, at_rest in TETRAHEDRA:
        edges = []
        for a, b, c in offsets:
            there = field[:, 1 + a : x - 1 + a, 1 + b : y - 1 + b, 1 + c : z - 1 + c]
            edges.append([(there - here)[axis] + o for axis, o in enumerate((a, b, c))])
        (a0, a1, a2), (b0, b1, b2), (c0, c1, c2) = edges
        volume = a0 * (b1 * c2 - b2 * c1) + a1 * (b2 * c0 - b0 * c2) + a2 * (b0 * c1 - b1 * c0)
        total = total + (MARGIN - volume / at_rest).relu().square().sum()
    return total


def ours(fixed: Tensor, warped: Tensor) -> Tensor:
    """Window sums as banded products, with the fixed image's own sums anew."""
    return Lncc(window=WINDOW).bind(fixed)(warped)


def resized(field: Tensor) -> Tensor:
    """To double the size."""
    x, y, z = (2 * size for size in field.shape[2:])
    return resize_field(field, (x, y, z))


OPERATIONS: dict[str, Operation] = {
    "warp and its sum, ours": lambda _, m, u: warp(m, u).sum(),
    "warp and its sum, plain": lambda _, m, u: plain_warp(m, u).sum(),
    "correlation, ours": lambda f, m, u: ours(f, warp(m, u)),
    "correlation, pooling": lambda f, m, u: correlation_by_pooling(f, warp(m, u)),
    "correlation, cumulative sums": lambda f, m, u: correlation_by_sums(f, warp(m, u)),
    "folds, all tetrahedra": lambda f, m, u: dense_penalty(u[0], MARGIN),  # noqa: ARG005
    "folds, those that lack volume": lambda f, m, u: sparse_penalty(u[0], MARGIN),  # noqa: ARG005
    "folds, plain": lambda f, m, u: plain_penalty(u[0]),  # noqa: ARG005
    "resized, ours": lambda f, m, u: resized(u).square().mean(),  # noqa: ARG005
    "resized, interpolate": lambda f, m, u: (  # noqa: ARG005
        functional.interpolate(u, scale_factor=2, mode="trilinear").square().mean()
    ),
}
COMPILED: dict[str, Operation] = {
    "folds, plain, compiled": lambda f, m, u: torch.compile(plain_penalty)(u[0]),  # noqa: ARG005
    "correlation, pooling, compiled": lambda f, m, u: torch.compile(correlation_by_pooling)(
        f, warp(m, u)
    ),
}
