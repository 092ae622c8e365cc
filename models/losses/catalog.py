"""Every term by name: this list is the registry."""

from collections.abc import Callable
from typing import Annotated, Literal, TypeAlias

import torch
from pydantic import Field, PositiveFloat

from l2r.schema import Frozen
from models.losses.bending import BendingConfig
from models.losses.consistency import GradIconConfig, InverseConsistencyConfig
from models.losses.diffusion import DiffusionConfig
from models.losses.folding import FoldingConfig
from models.losses.gradient_correlation import (
    GradientCorrelationConfig,
    LocalGradientCorrelationConfig,
)
from models.losses.lddmm import LddmmConfig
from models.losses.lncc import LnccConfig
from models.losses.lncc_gaussian import LnccGaussianConfig
from models.losses.mind import MindConfig
from models.losses.mse import MseConfig
from models.types import Scalar, Volumes

Single: TypeAlias = Annotated[
    LnccConfig
    | LnccGaussianConfig
    | GradientCorrelationConfig
    | LocalGradientCorrelationConfig
    | MseConfig
    | MindConfig,
    Field(discriminator="name"),
]
"""Compares the fixed and the warped image: `similarity.bind(fixed)(warped)`."""


class Part(Frozen):
    """A similarity and how much it counts."""

    weight: PositiveFloat = 1.0
    term: Single


class SumOfSimilaritiesConfig(Frozen):
    """A weighted sum, as fine-tuning for LUMIR has it of LNCC and gradient correlation."""

    name: Literal["sum"] = "sum"
    parts: Annotated[tuple[Part, ...], Field(min_length=1)]

    def bind(self, fixed: Volumes) -> Callable[[Volumes], Scalar]:
        """The terms for one fixed image, weighted and added."""
        bound = [(part.weight, part.term.bind(fixed)) for part in self.parts]
        return lambda warped: torch.stack([w * term(warped) for w, term in bound]).sum()


Similarity: TypeAlias = Annotated[
    Single | SumOfSimilaritiesConfig,
    Field(discriminator="name"),
]
"""One similarity, or a weighted sum of several."""
Regulariser: TypeAlias = Annotated[
    DiffusionConfig
    | BendingConfig
    | LddmmConfig
    | FoldingConfig
    | InverseConsistencyConfig
    | GradIconConfig,
    Field(discriminator="name"),
]
"""Judges a deformation: `regulariser.judge(trial, random)`."""
