"""Fields between prepared images as transforms between the images they were made of."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from l2r.disk import make_folder
from l2r.errors import FieldError, ImageError
from l2r.formats.fields import read_field, write_field
from l2r.formats.table import format_of, strip_suffix
from l2r.formats.transforms.base import PairGrids
from l2r.formats.transforms.itk_field import ItkField
from l2r.formats.volumes import read_grid, read_labels
from l2r.transforms.base import SpatialTransform, TransformChain
from l2r.transforms.compose import as_displacement
from l2r.transforms.displacement import DisplacementTransform
from l2r.transforms.grids import Grid
from l2r.transforms.learn2reg import to_learn2reg
from l2r.transforms.resample import Resampling
from l2r.transforms.residual import Residual, round_trip
from pipeline.prepare.record import HeadRecord, mask_of, read_record
from pipeline.prepare.template import GRID


@dataclass(frozen=True)
class NativePair:
    """Two heads that were prepared, in their own spaces."""

    fixed: HeadRecord
    moving: HeadRecord
    fixed_brain: Path
    """Mask of the fixed brain, on the head's own grid."""
    moving_brain: Path
    """The same of the moving one."""

    @classmethod
    def of(cls, fixed: Path, moving: Path) -> "NativePair":
        """The heads of two prepared images.

        Raises:
            ImageError: a record is missing, or the image that it names.
        """
        records = read_record(fixed), read_record(moving)
        for record in records:
            if not Path(record.source).is_file():
                raise ImageError(f"{record.source}: was prepared, but is not there any more")
        return cls(*records, mask_of(fixed), mask_of(moving))

    @property
    def grids(self) -> tuple[Grid, Grid]:
        """Grids of the fixed and the moving head."""
        return read_grid(Path(self.fixed.source)), read_grid(Path(self.moving.source))

    def transform(self, prepared: SpatialTransform) -> TransformChain:
        """From places of the fixed head to places of the moving one.

        Args:
            prepared: from the prepared fixed to the prepared moving image.
        """
        return TransformChain([self.fixed.transform.inverse(), prepared, self.moving.transform])

    def write(self, prepared: SpatialTransform, folder: Path) -> Residual:
        """Write the warped head, the field in voxels, and both transforms for ITK.

        Args:
            prepared: as for `transform`.
            folder: is made where it is missing.

        Returns:
            The distance by which forward and inverse miss the start, in voxels of the moving head,
            over its brain.

        Raises:
            L2RError: a head cannot be read, or the folder not be written to.
        """
        make_folder(folder)
        fixed, moving = self.grids
        chain = self.transform(prepared)
        source = Path(self.moving.source)
        stored = format_of(source).read(source, ImageError)
        array = stored.array.reshape(moving.shape)
        warped = Resampling(fixed, chain)(array, moving.affine)
        names = [strip_suffix(Path(record.source).name) for record in (self.fixed, self.moving)]
        write_warped = folder / f"{names[1]}_space-{names[0]}.nii.gz"
        format_of(write_warped).write(write_warped, warped, fixed.affine)
        forward, backward = as_displacement(chain, fixed), as_displacement(chain.inverse(), moving)
        vectors = to_learn2reg(forward, moving.affine)
        write_field(folder / "displacement_field.nii.gz", vectors, fixed.affine)
        for field, (start, end) in ((forward, names[::-1]), (backward, names)):
            path = folder / f"from-{start}_to-{end}_mode-image_xfm.nii.gz"
            ItkField().write(path, [field], PairGrids())
        _, distances = round_trip(backward, forward, moving, fixed)
        return Residual.of(distances, read_labels(self.moving_brain) > 0)


def prepared_transform(path: Path) -> DisplacementTransform:
    """The transform of a field that a run has made of two prepared images.

    Raises:
        FieldError: it cannot be read, or is not on the grid of prepared images.
    """
    vectors = read_field(path)
    if vectors.shape == (3, *GRID.shape):
        vectors = np.moveaxis(vectors, 0, -1)
    if vectors.shape != (*GRID.shape, 3):
        raise FieldError(
            f"{path}: shape {vectors.shape}, but fields of prepared images have {(*GRID.shape, 3)}"
        )
    return DisplacementTransform(GRID, vectors)
