"""Every term by name: this list is the registry."""

from collections.abc import Callable, Sequence
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

    def bind(self, fixed: Volumes) -> "SummedTerm":
        """The terms for one fixed image, weighted and added."""
        return SummedTerm([(p.term.name, p.weight, p.term.bind(fixed)) for p in self.parts])


class SummedTerm:
    """A sum of similarities for one fixed image."""

    def __init__(self, terms: Sequence[tuple[str, float, Callable[[Volumes], Scalar]]]) -> None:
        """`terms`: name, weight and term of each part."""
        self._terms = terms
        self.latest: dict[str, Scalar] = {}
        """Each part of the last comparison, without its weight; a name that comes again has a
        number."""

    def __call__(self, warped: Volumes) -> Scalar:
        self.latest, weighted = {}, []
        for number, (name, weight, term) in enumerate(self._terms, start=1):
            value = term(warped)
            weighted.append(weight * value)
            self.latest[f"{name} {number}" if name in self.latest else name] = value.detach()
        return torch.stack(weighted).sum()


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
