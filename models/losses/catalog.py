"""Every term by name: this list is the registry."""

from collections.abc import Callable
from typing import Annotated, Literal, TypeAlias

import torch
from pydantic import Field, PositiveFloat

from l2r.schema import Frozen
from models.losses.bending import Bending
from models.losses.consistency import GradIcon, InverseConsistency
from models.losses.diffusion import Diffusion
from models.losses.folding import Folding
from models.losses.gradient_correlation import (
    GradientCorrelation,
    LocalGradientCorrelation,
)
from models.losses.lddmm import Lddmm
from models.losses.lncc import Lncc
from models.losses.lncc_gaussian import LnccGaussian
from models.losses.mind import Mind
from models.losses.mse import Mse
from models.types import Scalar, Volumes

SingleSimilarity: TypeAlias = Annotated[
    Lncc | LnccGaussian | GradientCorrelation | LocalGradientCorrelation | Mse | Mind,
    Field(discriminator="name"),
]
"""Compares the fixed and the warped image: `similarity.bind(fixed)(warped)`."""


class WeightedSimilarity(Frozen):
    """A similarity and how much it counts."""

    weight: PositiveFloat = 1.0
    term: SingleSimilarity


class SumOfSimilarities(Frozen):
    """A weighted sum, as fine-tuning for LUMIR has it of LNCC and gradient correlation."""

    name: Literal["sum"] = "sum"
    parts: Annotated[tuple[WeightedSimilarity, ...], Field(min_length=1)]

    def bind(self, fixed: Volumes) -> Callable[[Volumes], Scalar]:
        """The terms for one fixed image, weighted and added."""
        bound = [(part.weight, part.term.bind(fixed)) for part in self.parts]
        return lambda warped: torch.stack([w * term(warped) for w, term in bound]).sum()


Similarity: TypeAlias = Annotated[
    SingleSimilarity | SumOfSimilarities,
    Field(discriminator="name"),
]
"""One similarity, or a weighted sum of several."""
Regulariser: TypeAlias = Annotated[
    Diffusion | Bending | Lddmm | Folding | InverseConsistency | GradIcon,
    Field(discriminator="name"),
]
"""Penalises a transform: `regulariser.penalty(transform, random)`."""
