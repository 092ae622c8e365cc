"""Volumes of a pair for the viewer, in a script: a page that is a file cannot fetch others."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass

import nibabel as nib
import numpy as np
from isal import igzip
from jaxtyping import Float, UInt8

from eval.maps.fields import log_determinants
from eval.structures import IndexMap
from l2r.arrays import Volume
from l2r.formats.affine import Affine
from l2r.formats.nifti import GZIP_LEVEL

_HEADER = 352
"""Bytes before the values."""


@dataclass(frozen=True)
class ViewerVolume:
    """One layer of the viewer."""

    name: str
    voxels: UInt8[np.ndarray, "x y z"]
    colours: str
    """A colour map of the viewer."""
    opacity: float
    """At the beginning, from 0 to 1."""
    low: float
    """The value that has the first colour."""
    high: float
    slope: float = 1.0
    """Values are `slope * voxel + offset`."""
    offset: float = 0.0

    def described(self, affine: Affine) -> dict[str, object]:
        """Record for the page's script."""
        return {
            "name": self.name,
            "colours": self.colours,
            "opacity": self.opacity,
            "low": self.low,
            "high": self.high,
            "data": base64.b64encode(_packed(self, affine)).decode(),
        }


def intensities(name: str, volume: Volume, opacity: float) -> ViewerVolume:
    """A layer of an image from 0 to 1."""
    return ViewerVolume(name, np.rint(255 * volume).astype(np.uint8), "gray", opacity, 0.0, 255.0)


def jacobian_layer(name: str, determinants: Float[np.ndarray, "x y z"]) -> ViewerVolume:
    """A layer of log determinants from -1 to 1, not shown at the beginning."""
    voxels = np.rint(128 + 127 * log_determinants(determinants).clip(-1, 1)).astype(np.uint8)
    slope = 1 / 127
    return ViewerVolume(name, voxels, "blue2red", 0.0, -1.01, 1.0, slope, -128 * slope)


def structure_layer(name: str, indices: IndexMap) -> ViewerVolume:
    """A layer of structures, not shown at the beginning; beyond 255 their colours repeat."""
    voxels = indices
    if indices.dtype != np.uint8:
        voxels = np.where(indices > 0, 1 + (indices.astype(np.int64) - 1) % 255, 0).astype(np.uint8)
    return ViewerVolume(name, voxels, "random", 0.0, 0.0, 255.0)


def volumes_script(volumes: Sequence[ViewerVolume], affine: Affine) -> str:
    """A script that hands the volumes to the page that loads it."""
    return f"globalThis.pairVolumes = {json.dumps([v.described(affine) for v in volumes])};\n"


def _packed(volume: ViewerVolume, affine: Affine) -> bytes:
    """A NIfTI file, packed."""
    header = nib.Nifti1Header()
    header.set_data_dtype(np.uint8)
    header.set_data_shape(volume.voxels.shape)
    header.set_sform(affine, 1)
    header.set_qform(affine, 1)
    header.set_slope_inter(volume.slope, volume.offset)
    header["magic"], header["vox_offset"] = b"n+1", _HEADER
    head = header.binaryblock.ljust(_HEADER, b"\0")
    return igzip.compress(head + volume.voxels.tobytes("F"), GZIP_LEVEL, mtime=0)
