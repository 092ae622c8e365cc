"""From a header to the affine of its grid, however odd the header is.

Arrays are taken as they are stored, so a header that makes no sense must not cost a pair: the
first of its statements that can be used counts (sform, qform, spacing, else voxels of 1 mm), and a
warning tells.
"""

from collections.abc import Callable, Iterator

import nibabel as nib
import numpy as np
from jaxtyping import Float
from nibabel.quaternions import quat2mat
from nibabel.spatialimages import HeaderDataError

Affine = Float[np.ndarray, "4 4"]

_SIDES_MM = (1e-6, 1e6)
"""Of a voxel; beyond them no viewer and no header can hold the affine."""
_FLATTEST = 1e-4
"""Volume of a voxel as a share of the product of its sides; a sheared one is still a voxel."""
_FARTHEST_MM = 1e9


def usable(affine: Affine) -> bool:
    """Tell if an affine spans a grid: finite, its sides of some length, its axes not in a plane."""
    if not np.isfinite(affine).all() or np.abs(affine[:3, 3]).max() > _FARTHEST_MM:
        return False
    sides = np.linalg.norm(affine[:3, :3], axis=0)
    if not (sides.min() >= _SIDES_MM[0] and sides.max() <= _SIDES_MM[1]):
        return False
    return bool(abs(np.linalg.det(affine[:3, :3] / sides)) > _FLATTEST)


def nifti_affine(header: nib.Nifti1Header) -> tuple[Affine, tuple[str, ...]]:
    """The affine of a NIfTI header, and what was wrong with the statements before it."""
    warnings: list[str] = []
    for name, read in _statements(header):
        with np.errstate(all="ignore"):  # a header may hold anything
            affine, fault = read()
            good = affine is not None and usable(affine)
        if affine is not None and good:
            return affine, (*warnings, *fault)
        warnings.append(f"the header's {name} is unusable and was left out")
    return np.eye(4), (*warnings, "voxels are taken as 1 mm")


_Read = Callable[[], tuple[Affine | None, tuple[str, ...]]]


def _statements(header: nib.Nifti1Header) -> Iterator[tuple[str, _Read]]:
    """List the header's affines in NIfTI's order of preference."""
    if header["sform_code"] != 0:
        yield "sform", lambda: (header.get_sform(), ())
    if header["qform_code"] != 0:
        yield "qform", lambda: _qform(header)
    yield "spacing", lambda: (_base(header), ())


def _qform(header: nib.Nifti1Header) -> tuple[Affine | None, tuple[str, ...]]:
    """The qform; a quaternion that is too long is a half turn, as in NIfTI's reference code."""
    try:
        return header.get_qform(), ()
    except (ValueError, HeaderDataError):  # the quaternion's length; a side that is negative
        axis = np.array([float(header[f"quatern_{name}"]) for name in "bcd"])
    length = np.linalg.norm(axis)
    if not np.isfinite(length) or length == 0:
        return None, ()
    sides = np.array(header["pixdim"][1:4], np.float64)
    sides[2] *= -1 if header["pixdim"][0] < 0 else 1
    affine = np.eye(4)
    affine[:3, :3] = quat2mat([0.0, *(axis / length)]) * sides
    affine[:3, 3] = [float(header[f"qoffset_{name}"]) for name in "xyz"]
    return affine, (f"the header's quaternion is {length:.9g} long, but at most 1 is allowed",)


def _base(header: nib.Nifti1Header) -> Affine:
    return np.asarray(header.get_base_affine(), np.float64)


def sides_of(affine: Affine) -> Float[np.ndarray, " 3"]:
    """Compute the sides of a voxel in mm."""
    return np.linalg.norm(affine[:3, :3], axis=0)
