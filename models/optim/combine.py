"""From one loss per objective to the one gradient that is descended."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

Losses: TypeAlias = tuple[Float[Tensor, ""], ...]
"""One number per objective, weights included."""
Combine: TypeAlias = Callable[[Losses, Sequence[Tensor]], tuple[Tensor, ...]]
"""Takes the losses and the parameters, returns a gradient per parameter."""


def plain_sum(losses: Losses, parameters: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The gradient of the sum, by one backward pass."""
    return torch.autograd.grad(sum(losses[1:], start=losses[0]), parameters)
