"""The interface of a registration tool: its inputs and its results."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from l2r.arrays import Vectors, Volume

Affine = Float[np.ndarray, "4 4"]
"""Voxel indices to RAS millimetres, of the fixed image."""


@dataclass(frozen=True)
class Registered:
    """A tool's result."""

    vectors: Vectors
    """In Regatta's convention: `warped(p) = moving(p + u(p))`, voxels of the fixed grid."""
    warped: Callable[[], Volume]
    """The moving image as the tool itself warps it, which proves the conversion."""


@dataclass(frozen=True)
class Tool:
    """A tool as its users run it on images that are affinely aligned."""

    requirements: tuple[str, ...]
    """Pinned packages of an environment of its own, the tool first. They are installed without what
    they ask for: the rest is Regatta's."""
    settings: str
    """In the tool's own words."""
    register: Callable[[Volume, Volume, Affine], Registered]
    """From the fixed and the moving image, which both get the fixed one's affine, because scorers
    take arrays as they are stored. Imports the tool, so that its time and memory count."""

    @property
    def package(self) -> str:
        """Its name on PyPI."""
        return self.requirements[0].partition("==")[0]

    @property
    def version(self) -> str:
        """Version of the package."""
        return self.requirements[0].partition("==")[2]
