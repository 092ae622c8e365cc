"""The interface of a format of transforms, and what some files leave to be known."""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import nibabel as nib
import numpy as np

from l2r.errors import TransformError
from l2r.task import Task
from l2r.transforms.base import AffineTransform, SpatialTransform, TransformChain
from l2r.transforms.compose import as_displacement
from l2r.transforms.displacement import DisplacementTransform
from l2r.transforms.grids import Grid


@dataclass(frozen=True)
class PairGrids:
    """The grids of the two images that a transform leads between, where they are known."""

    fixed: Grid | None = None
    moving: Grid | None = None
    task: Task | None = None
    """The challenge whose layout a Learn2Reg field has; else the full grid, components last."""


class TransformFormat(ABC):
    """A format of spatial transforms; what it cannot hold it refuses."""

    dialect: ClassVar[str]
    """The convention by its word on the command line."""
    suffixes: ClassVar[tuple[str, ...]]

    @abstractmethod
    def read(self, path: Path, grids: PairGrids, /) -> SpatialTransform:
        """Read a transform that leads from the fixed to the moving image, in RAS millimetres.

        Raises:
            TransformError: missing, damaged, of another convention, or a grid must be known.
        """

    @abstractmethod
    def write(self, path: Path, parts: Sequence[SpatialTransform], grids: PairGrids, /) -> None:
        """Write transforms that follow each other, the one at the fixed image first.

        Raises:
            TransformError: the format cannot hold them, or a grid must be known.
            OutputError: the folder is missing, read-only or full.
        """


def one_field(
    parts: Sequence[SpatialTransform], grid: Grid | None, path: Path
) -> DisplacementTransform:
    """The transforms as one displacement field, on the grid that is given or that they have."""
    fields = [part for part in parts if isinstance(part, DisplacementTransform)]
    grid = grid or (fields[0].grid if fields else None)
    if grid is None:
        raise TransformError(f"{path}: a field needs a grid; give the fixed image (--fixed)")
    if len(parts) == len(fields) == 1 and fields[0].grid.is_like(grid):
        return fields[0]
    return as_displacement(TransformChain(parts), grid)


def one_matrix(parts: Sequence[SpatialTransform], path: Path) -> AffineTransform:
    """The transforms as one matrix, if they are matrices."""
    matrix = np.eye(4)
    for part in parts:
        if not isinstance(part, AffineTransform):
            raise TransformError(
                f"{path}: {path.suffix} files hold a matrix, and this is a displacement field; "
                "write .nii.gz, .mha, .nrrd or .h5"
            )
        matrix = part.matrix @ matrix
    return AffineTransform(matrix)


def needed(grid: Grid | None, role: str, path: Path) -> Grid:
    """A grid that a format cannot do without."""
    if grid is None:
        raise TransformError(
            f"{path}: {path.suffix} files count from the corners of the images; give --{role} IMAGE"
        )
    return grid


def image_on(grid: Grid) -> nib.Nifti1Image:
    """An empty image, for libraries that take a grid only so."""
    return nib.Nifti1Image(np.broadcast_to(np.int8(0), grid.shape), grid.affine)


def library(name: str, path: Path) -> Any:
    """A library of the extra `transforms`.

    Raises:
        TransformError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        package = name.partition(".")[0]
        raise TransformError(
            f"{path}: {package} is needed for such files and is not installed; "
            "pip install 'regatta[transforms]'"
        ) from None
