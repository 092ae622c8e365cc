"""Words and files that the commands are told; no numpy, so that their help is fast."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

MapKind: TypeAlias = Literal["determinant", "log", "folds"]
"""Maps of the Jacobian determinant."""
Units: TypeAlias = Literal["voxels", "ras", "lps"]
"""Units and axes of points."""
Side: TypeAlias = Literal["fixed", "moving"]
"""Images of a pair."""


@dataclass(frozen=True)
class PairFiles:
    """The images of a pair, and its challenge, where they are given."""

    fixed: Path | None
    moving: Path | None
    task: str | None
