"""SimpleITK's diffeomorphic Demons, from coarse to fine.

Source:
    The filter of Vercauteren et al. (2009), doi:10.1016/j.neuroimage.2008.10.040, and the
    multi-resolution loop of SimpleITK's notebooks, github.com/SimpleITK.
"""

from typing import Any

from benchmarks.peers.base import Affine, Registered, Tool
from benchmarks.peers.itk import simple_image, to_voxels
from l2r.arrays import Volume

SHRINKS, ITERATIONS, SIGMA = (4, 2, 1), (80, 40, 20), 1.5
SETTINGS = "DiffeomorphicDemons, shrink 4x2x1, 80x40x20 iterations, sigma 1.5, histograms matched"


def register(fixed: Volume, moving: Volume, affine: Affine) -> Registered:
    """By SimpleITK, level after level."""
    import SimpleITK as sitk  # noqa: N813, PLC0415

    images = [sitk.Cast(simple_image(v, affine), sitk.sitkFloat32) for v in (fixed, moving)]
    matched = sitk.HistogramMatching(images[1], images[0], 256, 15)
    field: Any = None
    for shrink, iterations in zip(SHRINKS, ITERATIONS, strict=True):
        fine, coarse = (_smaller(image, shrink) for image in (images[0], matched))
        demons = sitk.DiffeomorphicDemonsRegistrationFilter()
        demons.SetNumberOfIterations(iterations)
        demons.SetSmoothDisplacementField(True)  # noqa: FBT003 - SimpleITK's
        demons.SetStandardDeviations(SIGMA)
        start = sitk.Image(fine.GetSize(), sitk.sitkVectorFloat64, 3)
        start.CopyInformation(fine)
        if field is not None:
            start = sitk.Resample(field, start)
        field = demons.Execute(fine, coarse, start)
    vectors = to_voxels(sitk.GetArrayFromImage(field).transpose(2, 1, 0, 3), affine)

    def warped() -> Volume:
        transform = sitk.DisplacementFieldTransform(sitk.Image(field))
        found = sitk.Resample(images[1], images[0], transform, sitk.sitkLinear, 0.0)
        return sitk.GetArrayFromImage(found).T

    return Registered(vectors, warped)


def _smaller(image: Any, shrink: int) -> Any:
    """Smooth and shrink an image; as it is at full resolution."""
    import SimpleITK as sitk  # noqa: N813, PLC0415

    if shrink == 1:
        return image
    sigmas = [shrink / 2 * spacing for spacing in image.GetSpacing()]
    return sitk.Shrink(sitk.SmoothingRecursiveGaussian(image, sigmas), [shrink] * 3)


TOOL = Tool(("SimpleITK==2.5.7",), SETTINGS, register)
