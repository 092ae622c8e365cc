"""The outcome of a registration in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import cached_property

import nibabel as nib
import numpy as np
from jaxtyping import Float

from l2r.arrays import Vectors
from l2r.formats.volumes import Image
from l2r.transforms.compose import as_displacement
from l2r.transforms.displacement import DisplacementTransform
from l2r.transforms.learn2reg import from_learn2reg
from l2r.transforms.resample import Resampling
from l2r.transforms.words import Interpolation
from pipeline.register.manifest import DiceRecord, RefinementRecord
from pipeline.register.sources import ImageSource, stored_of


@dataclass(frozen=True)
class RegistrationResult:
    """A displacement field, and what follows from it when it is first used."""

    field: Vectors
    """Displacements on the fixed grid, in its voxels."""
    images: tuple[Image, Image]
    """Fixed and moving, as they were given."""
    seen_affine: Float[np.ndarray, "4 4"]
    """Of the moving image as the network saw it."""
    refinements: tuple[RefinementRecord, ...] = ()
    """Steps and losses of every refinement."""
    estimate: DiceRecord | None = None
    """Dice as a segmentation estimates it, where the run file names one."""
    warnings: tuple[str, ...] = ()
    seconds: Mapping[str, float] = dataclass_field(default_factory=dict)
    """Wall time by stage."""

    @cached_property
    def transform(self) -> DisplacementTransform:
        """From places of the fixed image to places of the moving one, in millimetres."""
        return from_learn2reg(self.field, self.images[0].affine, self.seen_affine)

    @cached_property
    def inverse(self) -> DisplacementTransform:
        """From places of the moving image to places of the fixed one, on the moving grid."""
        return as_displacement(self.transform.inverse(), self.images[1].grid)

    @cached_property
    def warped(self) -> nib.Nifti1Image:
        """The moving image on the fixed grid."""
        return self.apply(self.images[1])

    def apply(self, image: ImageSource, interpolation: Interpolation = "linear") -> nib.Nifti1Image:
        """Bring another image or a label map of the moving subject onto the fixed grid.

        Raises:
            ImageError: it cannot be used, or does not overlap.
        """
        source = stored_of(image, "other")
        resampling = Resampling(self.images[0].grid, self.transform, interpolation)
        return nib.Nifti1Image(resampling(source.array, source.affine), self.images[0].affine)
