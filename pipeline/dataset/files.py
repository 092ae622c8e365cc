"""Subjects whose image and label map are files that nibabel reads."""

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from jaxtyping import Shaped

from l2r.errors import ImageError
from pipeline.dataset.subjects import LabelledVolume, Subject


@dataclass(frozen=True)
class NiftiSubject:
    """Two files on one grid, NIfTI or Analyze."""

    name: str
    image: Path
    labels: Path | None
    kind: type[np.integer] = np.int16
    """Type of the label map that is written."""

    @property
    def subject(self) -> Subject:
        """The subject, read when it is written."""
        return Subject(self.name, self.load)

    def load(self) -> LabelledVolume:
        """Read both files.

        Raises:
            ImageError: one cannot be read, or is no volume.
        """
        image, affine = _volume(self.image)
        labels = None if self.labels is None else _volume(self.labels)[0]
        if labels is not None:
            labels = np.rint(labels).astype(self.kind)
        return LabelledVolume(_compact(image), labels, affine)


def _volume(path: Path) -> tuple[Shaped[np.ndarray, "x y z"], Shaped[np.ndarray, "4 4"]]:
    """A 3-D array and its affine; a fourth axis of length one, as Analyze has it, is dropped."""
    try:
        found = nib.load(path)
        array = np.asarray(found.dataobj)
    except Exception as cause:  # noqa: BLE001 - nibabel raises what its parts raise
        raise ImageError(f"{path}: cannot be read: {cause}") from None
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    if array.ndim != 3:
        raise ImageError(f"{path}: three axes are expected, it has the shape {array.shape}")
    return array, np.asarray(found.affine, np.float64)


def _compact(image: Shaped[np.ndarray, "x y z"]) -> Shaped[np.ndarray, "x y z"]:
    return image.astype(np.float32) if image.dtype == np.float64 else image
