"""Mean squared error: for images of one scanner and one protocol."""

from collections.abc import Callable
from typing import Literal

from l2r.schema import Frozen
from models.base import Volumes
from models.losses.base import Scalar


class MseConfig(Frozen):
    """`mean((f - w)^2)` over all voxels, in squared units of intensity."""

    name: Literal["mse"] = "mse"

    def bind(self, fixed: Volumes) -> Callable[[Volumes], Scalar]:
        """The term for one fixed image."""

        def term(warped: Volumes) -> Scalar:
            return (warped - fixed).square().mean()

        return term
