"""Every term by name: this list is the registry."""

from typing import Annotated, TypeAlias

from pydantic import Field

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

Similarity: TypeAlias = Annotated[
    LnccConfig
    | LnccGaussianConfig
    | GradientCorrelationConfig
    | LocalGradientCorrelationConfig
    | MseConfig
    | MindConfig,
    Field(discriminator="name"),
]
"""Compares the fixed and the warped image: `similarity.bind(fixed)(warped)`."""
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
