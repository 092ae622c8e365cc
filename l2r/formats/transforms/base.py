"""The interface of a format of transforms, and what some files leave to be known."""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import nibabel as nib
import numpy as np

from l2r.errors import TransformError
from l2r.task import Task
from l2r.transforms.base import AffineTransform, SpatialTransform, TransformChain, as_matrix
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
    whole = TransformChain(parts)
    grid = grid or whole.own_grid()
    if grid is None:
        raise TransformError(f"{path}: a field needs a grid; give the fixed image (--fixed)")
    first, *others = parts
    if not others and isinstance(first, DisplacementTransform) and first.grid.is_like(grid):
        return first
    return as_displacement(whole, grid)


def one_matrix(parts: Sequence[SpatialTransform], path: Path) -> AffineTransform:
    """The transforms as one matrix, if they are matrices."""
    found = as_matrix(parts)
    if found is None:
        raise TransformError(
            f"{path}: {path.suffix} files hold a matrix, and this is a displacement field; "
            "write .nii.gz, .mha, .nrrd or .h5"
        )
    return found


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


def loaded(path: Path, read: Callable[[str], Any], faults: type[Exception], who: str) -> Any:
    """Read a file by a library.

    Args:
        path: the file.
        read: takes its name.
        faults: whatever the library raises for a file that it cannot read.
        who: the library, for the message.

    Raises:
        TransformError: missing, or the library cannot read it.
    """
    if not path.is_file():
        raise TransformError(f"{path}: no such file")
    try:
        return read(str(path))
    except faults as cause:
        reason = " ".join(str(cause).split())[-120:]
        raise TransformError(f"{path}: {who} cannot read it: {reason}") from None


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
