"""Two images compared through a map of millimetres, from both sides."""

from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.affine.levels import Level
from models.affine.parameters import Matrices
from models.affine.similarity import Scores, SimilarityMeasure
from models.spatial.warp import sample

LEAST_OVERLAP = 0.3
"""Share of the foreground in both fields of view below which a similarity counts less."""


class AffineComparison:
    """The two images at one resolution, and the figure by which they are compared."""

    def __init__(self, fixed: Level, moving: Level, measure: SimilarityMeasure) -> None:
        self._forward = _Side(fixed, moving, measure)
        self._backward = _Side(moving, fixed, measure)

    def __call__(self, forward: Matrices, backward: Matrices) -> Scores:
        """The mean of the similarities on the fixed and on the moving grid, 1 at best."""
        return (self._forward(forward) + self._backward(backward)) / 2

    def one_sided(self, forward: Matrices) -> Scores:
        """The similarity on the fixed grid alone, for many candidates."""
        return self._forward(forward)


class _Side:
    """One image's foreground and its surroundings, onto which the other image is brought."""

    def __init__(self, fixed: Level, moving: Level, measure: SimilarityMeasure) -> None:
        self._fixed, self._moving = fixed.cropped(), moving
        self._compare = measure(self._fixed.volume)

    def __call__(self, matrices: Matrices) -> Scores:
        places = self._places(matrices)
        size = torch.tensor(self._moving.volume.shape[2:]).view(1, 3, 1, 1, 1)
        image = self._moving.volume.expand(len(matrices), -1, -1, -1, -1)
        unit = places / (size - 1).clamp(min=1)
        if self._moving.ends_in_air:
            return self._compare(sample(image, unit, padding="zeros"), None)
        # Fades over one voxel about the border.
        inside = torch.minimum(places + 1, size - places).clamp(0, 1).prod(dim=1, keepdim=True)
        shared = (inside * self._foreground).sum((1, 2, 3, 4)) / self._foreground.sum()
        found = self._compare(sample(image, unit, padding="border"), inside)
        return found * (shared / LEAST_OVERLAP).clamp(max=1)

    @cached_property
    def _coordinates(self) -> Float[Tensor, "3 x y z"]:
        return self._fixed.coordinates()

    @cached_property
    def _foreground(self) -> Float[Tensor, "1 1 x y z"]:
        return self._fixed.foreground().float()

    def _places(self, matrices: Matrices) -> Float[Tensor, "start 3 x y z"]:
        """Voxel indices in the moving image of every voxel of the fixed one."""
        start = torch.from_numpy(self._fixed.affine).float()
        end = torch.from_numpy(np.linalg.inv(self._moving.affine)).float()
        steps = end @ matrices @ start
        places = torch.einsum("sij,jxyz->sixyz", steps[:, :3, :3], self._coordinates)
        return places + steps[:, :3, 3, None, None, None]
