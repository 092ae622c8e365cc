"""Interpolation of label maps by a vote of the voxels around, weighted by a Gaussian."""

from itertools import product
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Integer, Shaped
from scipy.special import ndtr

from l2r.transforms.grids import VoxelCoordinates
from l2r.transforms.interpolation import Sampler, Volume3D

Ballots: TypeAlias = Shaped[np.ndarray, "voters n"]
"""Labels of the voxels around each place."""

_REACH = 1
"""Voxels on either side that vote: one standard deviation, ITK's default."""
_VOTERS = list(product(range(2 * _REACH + 1), repeat=3))
_MIDDLE = len(_VOTERS) // 2


def generic_label(labels: Volume3D) -> Sampler:
    """The label with the largest sum of weights among the nearest voxel and those around it.

    The weight of a voxel is the integral over it of a Gaussian around the place, of one voxel's
    standard deviation. Borders become smooth, no label is invented, all labels go at once.

    Source:
        `itk::LabelImageGaussianInterpolateImageFunction`, with its defaults on voxels of 1 mm.
    """
    sizes = labels.T.shape
    padded = np.pad(labels.T, _REACH, mode="edge")
    flat, (_, y, x) = padded.reshape(-1), padded.shape

    def sample(coordinates: VoxelCoordinates) -> Shaped[np.ndarray, "*points"]:
        places = coordinates.reshape(3, -1)[::-1]
        nearest = np.floor(places + 0.5).astype(np.intp)
        first = (nearest[0] * y + nearest[1]) * x + nearest[2]
        ballots = np.stack([flat.take(first + (i * y + j) * x + k) for i, j, k in _VOTERS])
        found = ballots[_MIDDLE].copy()
        unsure = np.flatnonzero((ballots != found).any(axis=0))
        weights = [
            _weights(places[axis, unsure], nearest[axis, unsure], sizes[axis]) for axis in range(3)
        ]
        shares = np.stack([weights[0][i] * weights[1][j] * weights[2][k] for i, j, k in _VOTERS])
        found[unsure] = _elected(ballots[:, unsure], shares)
        return found.reshape(coordinates.shape[1:])

    return sample


def _weights(
    places: Float[np.ndarray, " n"], nearest: Integer[np.ndarray, " n"], size: int
) -> Float[np.ndarray, "taps n"]:
    """Integrals of the Gaussian over the voxels of one axis; none beyond the volume."""
    ends = nearest + np.arange(-_REACH, _REACH + 2)[:, None] - 0.5
    index = nearest + np.arange(-_REACH, _REACH + 1)[:, None]
    return np.diff(ndtr(ends - places), axis=0) * ((index >= 0) & (index < size))


def _elected(ballots: Ballots, shares: Float[np.ndarray, "voters n"]) -> Shaped[np.ndarray, " n"]:
    """The label with the largest sum of shares; of equal ones, the first that is met.

    Candidate after candidate is counted, the nearest voxel's label first, until one has half of all
    shares or none is left.
    """
    best, most = ballots[_MIDDLE].copy(), np.full(ballots.shape[1], -1.0)
    half = shares.sum(axis=0) / 2
    which, candidate = np.arange(ballots.shape[1]), best
    uncounted: Bool[np.ndarray, "voters n"] = np.ones(ballots.shape, bool)
    while which.size:
        theirs = ballots[:, which] == candidate
        votes = np.where(theirs, shares[:, which], 0).sum(axis=0)
        won = votes > most[which]
        best[which[won]], most[which[won]] = candidate[won], votes[won]
        uncounted[:, which] &= ~theirs
        which = which[(votes < half[which]) & uncounted[:, which].any(axis=0)]
        candidate = ballots[uncounted[:, which].argmax(axis=0), which]
    return best
