"""Mean squared error: for images of one scanner and one protocol."""

from collections.abc import Callable
from typing import Literal

from l2r.schema import Frozen
from models.types import Scalar, Stacks


class Mse(Frozen):
    """`mean((f - w)^2)` over all voxels, in squared units of intensity; label maps have none."""

    name: Literal["mse"] = "mse"

    def bind(self, fixed: Stacks) -> Callable[[Stacks], Scalar]:
        """The term for one fixed image."""

        def term(warped: Stacks) -> Scalar:
            return (warped - fixed).square().mean()

        return term
