"""elastix: B-splines by adaptive stochastic gradient descent on mutual information.

Source:
    github.com/InsightSoftwareConsortium/ITKElastix
"""

from typing import Any

import numpy as np

from benchmarks.peers.base import Affine, Registered, Tool
from benchmarks.peers.itk import geometry, to_voxels
from l2r.arrays import Volume

ITK = ("core", "numerics", "io", "filtering", "registration", "segmentation")
REQUIREMENTS = ("itk-elastix==0.25.4", "itk==5.4.7", *(f"itk-{part}==5.4.7" for part in ITK))
SPACING_MM = 8.0
"""Of the finest control points."""
SETTINGS = f"default 'bspline' map, 4 resolutions, final grid {SPACING_MM:g} mm"


def register(fixed: Volume, moving: Volume, affine: Affine) -> Registered:
    """By elastix with its own default parameters for B-splines."""
    import itk  # noqa: PLC0415

    images = [_image(volume, affine) for volume in (fixed, moving)]
    parameters = itk.ParameterObject.New()
    parameters.AddParameterMap(parameters.GetDefaultParameterMap("bspline", 4, SPACING_MM))
    _, found = itk.elastix_registration_method(*images, parameter_object=parameters)
    field = itk.transformix_deformation_field(images[1], found)
    millimetres = itk.GetArrayFromImage(field).transpose(2, 1, 0, 3)

    def warped() -> Volume:
        found.SetParameter(0, "FinalBSplineInterpolationOrder", "1")  # as ours, not cubic
        result = itk.transformix_filter(images[1], found)
        return np.asarray(itk.GetArrayFromImage(result)).T

    return Registered(to_voxels(millimetres, affine), warped)


def _image(volume: Volume, affine: Affine) -> Any:
    import itk  # noqa: PLC0415

    image = itk.GetImageFromArray(np.ascontiguousarray(volume.T, dtype=np.float32))
    spacing_mm, origin, direction = geometry(affine)
    image.SetSpacing(spacing_mm)
    image.SetOrigin(origin)
    image.SetDirection(itk.GetMatrixFromArray(np.ascontiguousarray(direction)))
    return image


TOOL = Tool(REQUIREMENTS, SETTINGS, register)
