"""The affine map before the network: found, and the moving image brought along it."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from l2r.errors import ImageError
from l2r.formats.affine import Affine
from l2r.formats.volumes import Image
from l2r.pairs import Pair
from l2r.prepare import Alignment, Loaded, Prepared, PreparePair
from l2r.transforms.base import AffineTransform
from l2r.transforms.resample import Resampling
from models.affine.registration import AffineRegistration, FoundAffine

_GAIN = 0.03
"""Gain of quality from which `auto` takes a map; set by hand."""
_NOT_SEARCHED = "one slice: no affine map was searched for, it takes three dimensions"


@dataclass(frozen=True)
class PrepareAligned:
    """Prepares a pair of which the moving image is first aligned with the fixed one."""

    prepare: PreparePair
    mode: Literal["auto", "rigid", "affine"]

    def __call__(self, pair: Pair | Loaded, /) -> Prepared:
        """Read a pair, unless it is in memory already, align and prepare it.

        Raises:
            ImageError: as for `PreparePair`, or the images are so unlike that no map was found, or
                it is demanded of one slice.
        """
        prepare = self.prepare
        loaded = prepare.read(pair) if isinstance(pair, Pair) else prepare.checked(pair)
        (fixed, moving), as_stored = loaded.images, _as_stored(*loaded.images)
        if 1 in fixed.shape or 1 in moving.shape:
            return self._in_one_slice(loaded)
        search = AffineRegistration("rigid" if self.mode == "rigid" else "affine")
        found = search((fixed.array, fixed.affine), (moving.array, moving.affine), as_stored)
        warnings = self._judged(found, loaded.pair)
        keep = self.mode == "auto" and (found.failed or found.gain < _GAIN)
        if keep and fixed.shape == moving.shape:
            prepared = prepare.prepare(loaded)
            return replace(prepared, warnings=(*prepared.warnings, *warnings))
        matrix = as_stored if keep else found.matrix
        voxels = np.linalg.inv(moving.affine) @ matrix @ fixed.affine
        prepared = prepare.prepare(_brought(loaded, matrix))
        return replace(
            prepared,
            warnings=(*prepared.warnings, *warnings),
            alignment=Alignment(matrix, voxels, found.quality, found.quality_before),
        )

    def _in_one_slice(self, loaded: Loaded) -> Prepared:
        """The pair as it is: the search turns and scales in three dimensions."""
        if self.mode != "auto":
            raise ImageError(
                f"{loaded.pair.fixed.path}, {loaded.pair.moving.path}: one slice, but an affine "
                "map takes three dimensions; --affine off takes the images as they are"
            )
        prepared = self.prepare.prepare(loaded)
        return replace(prepared, warnings=(*prepared.warnings, _NOT_SEARCHED))

    def _judged(self, found: FoundAffine, pair: Pair) -> tuple[str, ...]:
        """Warnings about the map; where it was demanded and is none, it is an error."""
        if not found.failed:
            return ()
        fault = f"no affine map was found, the images share {found.quality:.2f} of 1 through it"
        if self.mode == "auto":
            return (f"{fault}; they are taken as they are",)
        raise ImageError(
            f"{pair.fixed.path}, {pair.moving.path}: {fault}; are both of the same organ? "
            "--affine off takes them as they are"
        )


def _as_stored(fixed: Image, moving: Image) -> Affine:
    """The map without a search: same voxels correspond; on unlike shapes, the headers' places."""
    if fixed.shape != moving.shape:
        return np.eye(4)
    return moving.affine @ np.linalg.inv(fixed.affine)


def _brought(loaded: Loaded, matrix: Affine) -> Loaded:
    """The pair with the moving image, and its label map, on the fixed grid."""
    fixed, moving = loaded.images
    along = Resampling(fixed.grid, AffineTransform(matrix), outside=float(moving.array.min()))
    image = Image(along(moving.array, moving.affine), fixed.affine, moving.warnings)
    labels = loaded.labels
    if labels is not None:
        nearest = replace(along, interpolation="nearest", outside=0.0)
        labels = labels[0], nearest(labels[1], moving.affine)
    return replace(loaded, images=(fixed, image), labels=labels)
