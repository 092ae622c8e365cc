"""The bias field of a brain by N4.

Source:
    Tustison et al. (2010), N4ITK, doi:10.1109/TMI.2010.2046908, in SimpleITK.
"""

import importlib
from typing import Any

import numpy as np
from jaxtyping import Float32

from l2r.errors import ConfigError
from l2r.formats.volumes import Image
from pipeline.prepare.brain import INSTALL, Mask

_SIDE_MM = 4.0
"""Of voxels that the field is fitted to."""
_ITERATIONS = [50, 50, 30]
_TOLERANCE = 1e-3


def bias_field(image: Image, brain: Mask) -> Float32[np.ndarray, "x y z"]:
    """The factor by which each voxel is too bright, with a mean of one in the brain.

    Args:
        image: with its grid.
        brain: voxels that it is fitted to, those above zero.

    Raises:
        ConfigError: SimpleITK is not installed.
    """
    sitk = _library()
    blocks = [max(1, round(_SIDE_MM / side)) for side in image.spacing_mm]
    whole = _as_itk(sitk, image.array, image)
    mask = _as_itk(sitk, (brain & (image.array > 0)).astype(np.uint8), image)
    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.SetMaximumNumberOfIterations(_ITERATIONS)
    corrector.SetConvergenceThreshold(_TOLERANCE)
    corrector.Execute(sitk.Shrink(whole, blocks), sitk.Shrink(mask, blocks))
    logarithm = sitk.GetArrayFromImage(corrector.GetLogBiasFieldAsImage(whole)).T
    field = np.exp(logarithm - logarithm[brain].mean(), dtype=np.float32)
    return np.ascontiguousarray(field)


def _as_itk(sitk: Any, array: np.ndarray, image: Image) -> Any:
    """An image of ITK; where it lies does not matter, but its spacing does."""
    result = sitk.GetImageFromArray(np.ascontiguousarray(array.T))
    result.SetSpacing([float(side) for side in image.spacing_mm])
    return result


def _library() -> Any:
    try:
        return importlib.import_module("SimpleITK")
    except ModuleNotFoundError:
        raise ConfigError(f"SimpleITK is needed to correct the bias field; {INSTALL}") from None
