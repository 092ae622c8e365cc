"""The search for the affine map between two images, from many starts, coarse to fine."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor

from l2r.formats.affine import Affine
from models.affine.comparison import AffineComparison
from models.affine.levels import Level, pyramid
from models.affine.parameters import COUNT, Freedom, MapParameters, Matrices, Starts
from models.affine.similarity import (
    SimilarityMeasure,
    information,
    local_correlation,
    tissue_correlation,
)
from models.affine.starts import all_starts

Contrasts: TypeAlias = Literal["auto", "like", "unlike"]
Source: TypeAlias = tuple[Float32[np.ndarray, "_ _ _"], Affine]
"""Values of an image, and its affine."""

SIDES_MM = (8.0, 4.0, 2.0)
"""Of the voxels of each level."""
_SCREENED, _NEAR = (6, 4), 0.1
"""Starts that are optimised at the coarsest level, those near the headers and doubted ones, and the
similarity by which a doubted one may be worse and still go on to the next."""
_STEPS, _RATE_MM = (25, 15), (5.0, 2.0)
"""Of the descents at the coarsest level: rigid, or with the scale, and then with all parameters."""
_ITERATIONS = (20, 10)
"""Of the quasi-Newton searches at the finer levels."""
LEAST_QUALITY = 0.4
"""Quality below which no map was found: two brains reach .87, a painted one and noise .06."""
_ALIKE = 0.3
"""Correlation of tissues at 4 mm, after the coarsest level, from which two images are of like
contrast: pairs of T1 heads have .5 to .7, T1 with T2 -.6, T1 with FLAIR -.3 to -.2."""


@dataclass(frozen=True)
class FoundAffine:
    """The outcome of a search."""

    matrix: Affine
    """RAS millimetres of the fixed image to those of the moving one."""
    quality: float
    """Information that the images share at 4 mm, as a correlation: 0 for none, 1 for all."""
    quality_before: float
    """The same through the map that was to be beaten."""
    like: bool
    """Whether the contrasts are alike."""

    @property
    def gain(self) -> float:
        """The quality gained over the map that was to be beaten."""
        return self.quality - self.quality_before

    @property
    def failed(self) -> bool:
        """True if the images hardly resemble each other through the map."""
        return self.quality < LEAST_QUALITY


@dataclass(frozen=True)
class AffineRegistration:
    """Finds the map that brings a moving image onto a fixed one."""

    freedom: Freedom = "affine"
    contrasts: Contrasts = "auto"

    def __call__(self, fixed: Source, moving: Source, before: Affine | None = None) -> FoundAffine:
        """Search from many starts, and refine the best of them.

        Both images are treated alike: exchanged, they give the inverse map.

        Args:
            fixed: array and affine, voxel indices to RAS millimetres.
            moving: the same of the moving image.
            before: map whose quality is reported too; else that of the headers.
        """
        levels = list(zip(pyramid(*fixed, SIDES_MM), pyramid(*moving, SIDES_MM), strict=True))
        starts, parameters = self._coarse(*levels[0])
        like = self._is_like(*levels[1], starts, parameters)
        for index, iterations in enumerate(_ITERATIONS, start=1):
            comparison = AffineComparison(*levels[index], _fine_measure(index, like=like))
            starts, parameters = self._fine(comparison, starts, parameters, iterations)
        with torch.no_grad():
            forward, backward = starts.matrices(parameters)
        matrix = forward[0].double().numpy()
        own = torch.from_numpy(np.eye(4) if before is None else before)[None].float()
        beaten = quality(*levels[1], own, own.inverse())
        return FoundAffine(matrix, quality(*levels[1], forward, backward), beaten, like)

    def _coarse(self, fixed: Level, moving: Level) -> tuple[Starts, MapParameters]:
        """The best starts, optimised at the coarsest level."""
        comparison = AffineComparison(fixed, moving, information(16, 3000))
        starts = all_starts(fixed, moving)
        with torch.no_grad():
            forward, _ = starts.matrices(starts.zeros())
            scores = torch.cat([comparison.one_sided(part) for part in torch.split(forward, 16)])
        starts = starts.take(_screened(scores, starts.doubt > 0))
        comparison = AffineComparison(fixed, moving, information(16, 20_000))
        first: Freedom = "rigid" if self.freedom == "rigid" else "similarity"
        parameters = starts.zeros()
        for freedom, steps, rate in zip((first, self.freedom), _STEPS, _RATE_MM, strict=True):
            parameters = _descend(comparison, starts, parameters, (COUNT[freedom], steps, rate))
        with torch.no_grad():
            scores = comparison(*starts.matrices(parameters))
        best = _followed(scores, starts.doubt > 0)
        return starts.take(best), parameters[best]

    def _fine(
        self,
        comparison: AffineComparison,
        starts: Starts,
        parameters: MapParameters,
        iterations: int,
    ) -> tuple[Starts, Float[Tensor, "1 12"]]:
        """The best of some starts, each refined."""
        results = []
        for index in range(len(parameters)):
            one = torch.tensor([index])
            plan = COUNT[self.freedom], iterations
            results.append(_refine(comparison, starts.take(one), parameters[one], plan))
        scores = torch.tensor([score for _, score in results]) - starts.doubt
        best = int(scores.argmax())
        return starts.take(torch.tensor([best])), results[best][0]

    def _is_like(
        self, fixed: Level, moving: Level, starts: Starts, parameters: MapParameters
    ) -> bool:
        if self.contrasts != "auto":
            return self.contrasts == "like"
        with torch.no_grad():
            compare = AffineComparison(fixed, moving, tissue_correlation)
            found = compare(*starts.matrices(parameters))
        return bool(found[0] > _ALIKE)


def _followed(scores: Float[Tensor, " start"], doubted: Bool[Tensor, " start"]) -> Tensor:
    """The best start that is not doubted, and with it the best doubted one or its own runner-up.

    A coarse level cannot decide between the two kinds, unless they are far apart.
    """
    first, second = scores.masked_fill(doubted, -1).topk(2).indices
    other = scores.masked_fill(~doubted, -1).argmax()
    if scores[other] > scores[first] - _NEAR:
        second = other
    return torch.stack([first, second])


def _screened(scores: Float[Tensor, " start"], doubted: Bool[Tensor, " start"]) -> Tensor:
    """The best of the starts that are not doubted, and of those that are."""
    kept = []
    for group, count in zip((~doubted, doubted), _SCREENED, strict=True):
        index = group.nonzero()[:, 0]
        kept.append(index[scores[index].topk(min(count, len(index))).indices])
    return torch.cat(kept)


def quality(fixed: Level, moving: Level, forward: Matrices, backward: Matrices) -> float:
    """Information that two images share through a map, as a correlation."""
    with torch.no_grad():
        return float(AffineComparison(fixed, moving, information(32, 60_000))(forward, backward)[0])


def _fine_measure(level: int, *, like: bool) -> SimilarityMeasure:
    if like:
        return local_correlation(radius=2 if level == 1 else 3)
    return information(32, 100_000)


def _descend(
    comparison: AffineComparison,
    starts: Starts,
    parameters: MapParameters,
    plan: tuple[int, int, float],
) -> MapParameters:
    """Gradient ascent from all starts at a time, by Adam, whose steps shrink to nothing."""
    count, steps, rate_mm = plan
    free = parameters.clone().requires_grad_()
    optimiser = torch.optim.Adam([free], lr=rate_mm)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        loss = -comparison(*starts.matrices(_masked(free, count))).sum()
        (free.grad,) = torch.autograd.grad(loss, free)
        optimiser.step()
        schedule.step()
    return _masked(free.detach(), count)


def _masked(parameters: MapParameters, count: int) -> MapParameters:
    """Parameters of which only the first ones count."""
    return torch.cat([parameters[:, :count], torch.zeros(len(parameters), 12 - count)], dim=1)


def _refine(
    comparison: AffineComparison, starts: Starts, parameters: MapParameters, plan: tuple[int, int]
) -> tuple[MapParameters, float]:
    """A quasi-Newton search from one start, and the similarity that it reaches."""
    count, iterations = plan
    free = parameters.clone().requires_grad_()
    optimiser = torch.optim.LBFGS(
        [free],
        lr=1.0,
        max_iter=iterations,
        max_eval=2 * iterations,
        tolerance_grad=1e-3,
        tolerance_change=1e-3,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        loss = -100 * comparison(*starts.matrices(_masked(free, count))).sum()
        (free.grad,) = torch.autograd.grad(loss, free)
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    final = _masked(free.detach(), count)
    with torch.no_grad():
        return final, float(comparison(*starts.matrices(final))[0])
