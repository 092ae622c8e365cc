"""Tensors by what they hold: shapes and units in the type."""

from collections.abc import Mapping
from typing import TypeAlias

from jaxtyping import Float
from torch import Tensor

Volumes = Float[Tensor, "batch 1 x y z"]
Pairs = Float[Tensor, "batch 2 _ _ _"]
"""Moving and fixed image as the channels of one, in this order, as published weights want them."""
Fields = Float[Tensor, "batch 3 x y z"]
"""Displacements in voxels of their own grid, component `c` along array axis `c`."""
OtherFields = Float[Tensor, "batch 3 _ _ _"]
"""Fields on another grid than the arguments of the function that gives them."""
Stacks = Float[Tensor, "batch channel _ _ _"]
Scalar = Float[Tensor, ""]
State: TypeAlias = Mapping[str, Tensor]
"""Tensors of a network by name, as `state_dict` gives them."""
