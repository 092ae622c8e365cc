"""Words of the commands that register."""

from typing import Literal, TypeAlias

AffineMode: TypeAlias = Literal["off", "auto", "rigid", "affine"]
"""The map that is searched for before the network."""
