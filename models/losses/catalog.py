"""Every term by name: this list is the registry."""

from typing import TypeAlias

from models.losses.diffusion import DiffusionConfig
from models.losses.lncc import LnccConfig

Similarity: TypeAlias = LnccConfig
"""Compares the fixed and the warped image; more to come, so a name of its own."""
Regulariser: TypeAlias = DiffusionConfig
"""Judges a displacement or velocity field."""
