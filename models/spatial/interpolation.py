"""Linear interpolation along an axis as a matrix."""

import torch
from jaxtyping import Float
from torch import Tensor


def linear_weights(places: Float[Tensor, " new"], old: int) -> Float[Tensor, "new old"]:
    """Weights of `old` voxels at each place: `1 - |place - index|`, and 0 beyond the neighbours.

    Args:
        places: indices between 0 and `old - 1`, whole or not.
        old: number of voxels along the axis.
    """
    distance = (places[:, None] - torch.arange(old, device=places.device)).abs()
    return (1 - distance).clamp(min=0)
