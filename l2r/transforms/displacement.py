"""Displacement fields in physical space, and their inverses."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from l2r.transforms.base import SpatialTransform
from l2r.transforms.grids import Grid, Places, VoxelCoordinates
from l2r.transforms.interpolation import linear_components

TOLERANCE_VOX = 1e-3
"""Residual at which the inverse of a place counts as found."""
_LOST_VOX = 1.0
"""Residual from which on a place begins again at its start, lost by the plain iteration."""
_EVERY = 4
"""Voxels of the field along each axis between the places whose inverse is found first."""
_FAST_STEPS, _CAREFUL_STEPS = 12, 20
"""Twelve leave few places of registered brains, twenty leave those where the field folds."""
_MOST_MIXED, _TINY = 3.0, 1e-12
"""Of the last place in a mixture, so that two residuals that are nearly alike do no harm."""


@dataclass(frozen=True)
class DisplacementTransform(SpatialTransform):
    """`T(A p) = A (p + v(p))` for a displacement field `v` on a grid with the affine `A`.

    Linear between voxels. Beyond the field's grid nothing is displaced, as in ITK.
    """

    grid: Grid
    vectors: Float[np.ndarray, "x y z 3"]
    """Displacements in voxels of the grid, component `c` along array axis `c`."""

    def move(self, places: Places) -> Places:
        here = places.on(self.grid)
        if here.slab is not None:
            step = self.vectors.T[:, here.slab[1]]
        else:
            step = self.displacement(here.coordinates)
            step *= self.grid.holds(here.coordinates)
        return Places(here.coordinates + step, self.grid.affine)

    def displacement(self, coordinates: VoxelCoordinates) -> VoxelCoordinates:
        """`v` at voxel indices; beyond the grid its border values continue."""
        return self._sample(coordinates, np.empty(coordinates.shape, self.precision))

    @property
    def precision(self) -> np.dtype[np.generic]:
        """Precision of the displacements between voxels, single at least."""
        return np.result_type(self.vectors.dtype, np.float32)

    @cached_property
    def _sample(self) -> Callable[[VoxelCoordinates, VoxelCoordinates], VoxelCoordinates]:
        return linear_components([self.vectors[..., axis] for axis in range(3)])

    def inverse(self) -> "InverseDisplacement":
        return InverseDisplacement(self)

    def own_grid(self) -> Grid:
        return self.grid


@dataclass(frozen=True)
class InverseDisplacement(SpatialTransform):
    """The inverse of a displacement field, found place by place: `p` with `p + v(p) = q`.

    By fixed-point iteration `p <- p + r`, `r = q - p - v(p)`, each place mixed with the one before
    it; it starts between the places that were found for every fourth voxel. Places that are not
    found so take steps `s r` only if their residual becomes smaller, else their own `s` is halved:
    they also come close where the field stretches much, and where it folds the best place stays.
    Beyond the grid the border values of `v` continue.

    Source:
        Chen et al. (2008), A simple fixed-point approach to invert a deformation field,
        doi:10.1118/1.2816107, for the iteration; Anderson (1965), doi:10.1145/321296.321305, for
        the mixture.
    """

    forward: DisplacementTransform

    def move(self, places: Places) -> Places:
        targets = places.on(self.forward.grid).coordinates
        aims = targets.reshape(3, -1).astype(self.forward.precision, copy=False)
        found = self._solve(aims, aims + self._guess(aims / _EVERY, np.empty_like(aims)))
        return Places(found.reshape(targets.shape), self.forward.grid.affine)

    def inverse(self) -> DisplacementTransform:
        return self.forward

    def own_grid(self) -> Grid:
        return self.forward.grid

    @cached_property
    def _guess(self) -> Callable[[VoxelCoordinates, VoxelCoordinates], VoxelCoordinates]:
        """Displacement from about `q` to about `p`, at voxel indices of a coarse grid."""
        axes = [np.arange(0.0, size, _EVERY) for size in self.forward.grid.shape]
        places = np.stack(np.meshgrid(*axes, indexing="ij"))
        aims = places.reshape(3, -1).astype(self.forward.precision)
        steps = (self._solve(aims, aims) - aims).reshape(places.shape)
        return linear_components([np.asfortranarray(step, np.float32) for step in steps])

    def _solve(
        self, targets: Float[np.ndarray, "3 n"], start: Float[np.ndarray, "3 n"]
    ) -> Float[np.ndarray, "3 n"]:
        found, rest, aims, places = start.copy(), np.arange(targets.shape[1]), targets, start
        last: tuple[Float[np.ndarray, "3 _"], ...] = ()
        for _ in range(_FAST_STEPS):
            residual = aims - places - self.forward.displacement(places)
            found[:, rest] = places + residual
            left = np.flatnonzero(_lengths(residual) > TOLERANCE_VOX)
            rest, aims, places, residual = (
                part.take(left, axis=-1) for part in (rest, aims, places, residual)
            )
            before = [part.take(left, axis=-1) for part in last]
            mixed = _mixed(residual, places, *before) if before else residual
            last, places = (residual, places), places + mixed
        if rest.size:
            lost = _lengths(last[0]) > _LOST_VOX
            found[:, rest] = self._solve_carefully(aims, np.where(lost, aims, last[1]))
        return found

    def _solve_carefully(
        self, targets: Float[np.ndarray, "3 n"], found: Float[np.ndarray, "3 n"]
    ) -> Float[np.ndarray, "3 n"]:
        """Take shorter steps from where the plain ones ended, and keep the best place."""
        residual = targets - found - self.forward.displacement(found)
        error, step = _lengths(residual), np.ones(targets.shape[1])
        for _ in range(_CAREFUL_STEPS):
            trial = found + step * residual
            left = targets - trial - self.forward.displacement(trial)
            length = _lengths(left)
            better = length < error
            found, residual = np.where(better, trial, found), np.where(better, left, residual)
            error, step = np.where(better, length, error), np.where(better, 1.5 * step, step / 2)
        return found


def _mixed(
    residual: Float[np.ndarray, "3 n"],
    places: Float[np.ndarray, "3 n"],
    last_residual: Float[np.ndarray, "3 n"],
    last_places: Float[np.ndarray, "3 n"],
) -> Float[np.ndarray, "3 n"]:
    """Take the step from the mixture of the last two places whose residuals cancel best."""
    turned, moved = residual - last_residual, places - last_places
    share = (residual * turned).sum(axis=0) / np.maximum((turned * turned).sum(axis=0), _TINY)
    return residual - share.clip(-_MOST_MIXED, _MOST_MIXED) * (moved + turned)


def _lengths(vectors: Float[np.ndarray, "3 n"]) -> Float[np.ndarray, " n"]:
    return np.sqrt((vectors * vectors).sum(axis=0))
