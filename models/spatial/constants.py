"""Numbers on the device of a tensor."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def constants(like: Tensor, values: Sequence[float | int]) -> Float[Tensor, " _"]:
    """Make a vector where `like` is, of its precision.

    A copy from the host, as `new_tensor` makes it, waits until a GPU has done all that was begun.
    """
    return torch.stack([like.new_full((), value) for value in values])
