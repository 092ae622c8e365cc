"""A Gaussian mixture of an image's intensities makes the probabilities of a network sharper.

The network was taught by other images than the one it sees. What the intensities of white matter,
cortex and fluid are in this one, expectation and maximisation find, with the network's
probabilities as the prior.

Source:
    Ashburner and Friston (2005), Unified segmentation, doi:10.1016/j.neuroimage.2005.02.018; here
    without deformation and bias field.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.segmentation.structures import CLASSES, OUTER_FLUID

TISSUES = (
    (2, 41),
    (3, 42),
    (4, 43, 5, 44, 14, 15, OUTER_FLUID),
    (7, 46),
    (8, 47),
    (10, 49),
    (11, 50),
    (12, 51),
    (13, 52),
    (16,),
    (17, 53, 18, 54),
    (26, 58),
    (28, 60),
)
"""Structures with one distribution of intensities: both sides, all the fluid."""
_ITERATIONS = 10
_FITTED = 200_000
"""Voxels of a brain at most that the distributions are fitted to."""
_LEAST_DEVIATION = 0.05
"""Of intensities in [0, 1]; narrower distributions would forget where a structure lies."""
_LEAST_PROBABILITY = 1e-3
"""Of all classes together, wherever the network is certain."""
_ELSEWHERE = 2.5e-3
"""Density of intensities that no tissue has."""

ClassVoxels = Float[Tensor, "channel voxel"]
TissueVoxels = Float[Tensor, "tissue voxel"]
BrainIntensities = Float[Tensor, " voxel"]


def tissue_of_channels() -> list[int]:
    """The number of the tissue of each of `CLASSES` but the background, which is the first."""
    numbers = {label: number for number, labels in enumerate(TISSUES) for label in labels}
    return [numbers[label] for label in CLASSES[1:]]


def sharpened(probabilities: ClassVoxels, intensities: BrainIntensities) -> ClassVoxels:
    """Probabilities by place and intensities; that of the background stays.

    Args:
        probabilities: of each of `CLASSES` at voxels of a brain.
        intensities: of the same voxels, in [0, 1].
    """
    density = _densities(probabilities, intensities)
    structures = probabilities[1:] + _LEAST_PROBABILITY / len(probabilities)
    posterior = _normalised(structures * density[tissue_of_channels()])
    background = probabilities[:1]
    return torch.cat([background, posterior * (1 - background)])


def likeliest(probabilities: ClassVoxels, intensities: BrainIntensities) -> Int[Tensor, " voxel"]:
    """The likeliest structure by place and intensities, as the number of its channel.

    Args:
        probabilities: as for `sharpened`; half precision serves.
        intensities: as for `sharpened`.
    """
    density = _densities(probabilities, intensities)
    best = torch.zeros_like(intensities)
    result = torch.zeros_like(intensities, dtype=torch.long)
    for channel, tissue in enumerate(tissue_of_channels(), start=1):
        weight = probabilities[channel] * density[tissue]
        result[weight > best] = channel
        best = torch.maximum(best, weight)
    return result


def _densities(probabilities: ClassVoxels, intensities: BrainIntensities) -> TissueVoxels:
    """Density of each intensity in the distribution of each tissue."""
    every = max(1, -(-len(intensities) // _FITTED))
    seen, brought = intensities[::every], probabilities[1:, ::every].float()
    tissues = brought.new_zeros(len(TISSUES), len(seen))
    tissues.index_add_(0, torch.tensor(tissue_of_channels(), device=seen.device), brought)
    place = belongs = _normalised(tissues + _LEAST_PROBABILITY / len(TISSUES))
    for _ in range(_ITERATIONS):
        belongs = _normalised(place * _density(seen, *_normal(belongs, seen)))
    return _density(intensities, *_normal(belongs, seen))


def _normalised(weights: Float[Tensor, "_ voxel"]) -> Float[Tensor, "_ voxel"]:
    return weights / weights.sum(dim=0)


def _normal(
    belongs: TissueVoxels, intensities: BrainIntensities
) -> tuple[Float[Tensor, "tissue 1"], Float[Tensor, "tissue 1"]]:
    """Mean and standard deviation of each tissue, by how far each voxel belongs to it."""
    sizes = belongs.sum(dim=1).clamp(min=1e-3)
    mean = (belongs @ intensities) / sizes
    variance = (belongs @ intensities.square()) / sizes - mean.square()
    return mean[:, None], variance.clamp(min=_LEAST_DEVIATION**2).sqrt()[:, None]


def _density(
    intensities: BrainIntensities,
    mean: Float[Tensor, "tissue 1"],
    deviation: Float[Tensor, "tissue 1"],
) -> TissueVoxels:
    """Density in each normal distribution."""
    distance = (intensities - mean) / deviation
    return torch.exp(-distance.square() / 2) / deviation + _ELSEWHERE
