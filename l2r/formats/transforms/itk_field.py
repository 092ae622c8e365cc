"""Displacement fields of ITK, ANTs, Slicer and elastix: millimetres along LPS, in physical space.

NIfTI holds them as `(x, y, z, 1, 3)` with the intent "vector"; greedy writes the same.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from l2r.errors import TransformError
from l2r.formats.nifti import Nifti
from l2r.formats.transforms.base import PairGrids, TransformFormat, one_field
from l2r.transforms.base import SpatialTransform
from l2r.transforms.millimetres import from_mm, to_mm

VECTOR = 1007
"""NIfTI's intent code of a vector in each voxel."""


class ItkField(TransformFormat):
    """ITK's displacement fields in NIfTI."""

    dialect: ClassVar[str] = "itk"
    suffixes: ClassVar[tuple[str, ...]] = (".nii.gz", ".nii")

    def read(self, path: Path, _grids: PairGrids, /) -> SpatialTransform:
        stored = Nifti().read(path, TransformError)
        shape = stored.array.shape
        if len(shape) != 5 or shape[3:] != (1, 3):
            raise TransformError(
                f"{path}: shape {shape}, but ITK's displacement fields have (x, y, z, 1, 3)"
            )
        return from_mm(stored.array[:, :, :, 0], stored.affine, path)

    def write(self, path: Path, parts: Sequence[SpatialTransform], grids: PairGrids, /) -> None:
        field = one_field(parts, grids.fixed, path)
        Nifti().write(path, to_mm(field)[:, :, :, None], field.grid.affine, "vector")
