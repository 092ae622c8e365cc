"""Transforms by way of SimpleITK: composite `.h5`, fields in `.mha` and `.nrrd`, rare kinds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from l2r.disk import replacing
from l2r.errors import TransformError
from l2r.formats.transforms.base import PairGrids, TransformFormat, library, loaded, one_field
from l2r.transforms.base import AffineTransform, SpatialTransform, TransformChain, singles
from l2r.transforms.displacement import DisplacementTransform
from l2r.transforms.grids import LPS, Grid
from l2r.transforms.millimetres import from_mm, to_mm


class ItkImage(TransformFormat):
    """ITK's displacement fields in its own image formats."""

    dialect: ClassVar[str] = "itk"
    suffixes: ClassVar[tuple[str, ...]] = (".mha", ".mhd", ".nrrd")

    def read(self, path: Path, _grids: PairGrids, /) -> SpatialTransform:
        sitk = library("SimpleITK", path)
        return _field(sitk, loaded(path, sitk.ReadImage, RuntimeError, "ITK"), path)

    def write(self, path: Path, parts: Sequence[SpatialTransform], grids: PairGrids, /) -> None:
        sitk = library("SimpleITK", path)
        image = _image(sitk, one_field(parts, grids.fixed, path), np.float32)
        with replacing(path) as place:
            sitk.WriteImage(image, str(place), useCompression=True)


class ItkComposite(TransformFormat):
    """Chains of ITK, as antsRegistration writes with `--write-composite-transform`."""

    dialect: ClassVar[str] = "itk"
    suffixes: ClassVar[tuple[str, ...]] = (".h5", ".hdf5")

    def read(self, path: Path, grids: PairGrids, /) -> SpatialTransform:
        return read_with_simpleitk(path, grids)

    def write(self, path: Path, parts: Sequence[SpatialTransform], _grids: PairGrids, /) -> None:
        sitk = library("SimpleITK", path)
        # A composite applies its last transform first.
        kept = [_to_itk(sitk, part, path) for part in reversed([*singles(parts)])]
        whole = kept[0] if len(kept) == 1 else sitk.CompositeTransform(kept)
        with replacing(path) as place:
            sitk.WriteTransform(whole, str(place))


def read_with_simpleitk(path: Path, grids: PairGrids) -> SpatialTransform:
    """Read a transform of any kind that ITK knows.

    Raises:
        TransformError: it cannot be read, or is of a kind that has neither matrix nor field and no
            fixed image is given on whose grid it could be sampled.
    """
    sitk = library("SimpleITK", path)
    parts = _parts(sitk, loaded(path, sitk.ReadTransform, RuntimeError, "ITK"))
    # A composite applies its last transform first.
    found = [_from_itk(sitk, part, path, grids) for part in reversed(parts)]
    return found[0] if len(found) == 1 else TransformChain(found)


def _parts(sitk: Any, transform: Any) -> list[Any]:
    """The transforms of a composite, composites inside it included."""
    if transform.GetTransformEnum() != sitk.sitkComposite:
        return [transform.Downcast()]
    whole = sitk.CompositeTransform(transform)
    nested = [_parts(sitk, whole.GetNthTransform(n)) for n in range(whole.GetNumberOfTransforms())]
    return [part for parts in nested for part in parts]


def _from_itk(sitk: Any, part: Any, path: Path, grids: PairGrids, /) -> SpatialTransform:
    if part.GetDimension() != 3:
        raise TransformError(f"{path}: a transform of {part.GetDimension()} dimensions, not of 3")
    if part.GetTransformEnum() == sitk.sitkDisplacementField:
        return _field(sitk, part.GetDisplacementField(), path)
    if part.IsLinear():
        ends = np.array([part.TransformPoint(place) for place in (*np.eye(3).tolist(), [0.0] * 3)])
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = (ends[:3] - ends[3]).T, ends[3]
        return AffineTransform(LPS @ matrix @ LPS)
    if grids.fixed is None:
        raise TransformError(
            f"{path}: a {part.GetName()} must be sampled on a grid; give --fixed IMAGE"
        )
    reference = _image(sitk, _nothing(grids.fixed), np.float32)
    sampled = sitk.TransformToDisplacementField(
        part, sitk.sitkVectorFloat32, reference.GetSize(), reference.GetOrigin(),
        reference.GetSpacing(), reference.GetDirection(),
    )  # fmt: skip
    return _field(sitk, sampled, path)


def _field(sitk: Any, image: Any, path: Path) -> DisplacementTransform:
    axes, components = image.GetDimension(), image.GetNumberOfComponentsPerPixel()
    if (axes, components) != (3, 3):
        raise TransformError(
            f"{path}: {axes} dimensions with {components} components, but "
            "a displacement field has 3 of both; is it an image?"
        )
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    values = np.moveaxis(sitk.GetArrayFromImage(image), -1, 0).T
    return from_mm(values, LPS @ affine, path)


def _to_itk(sitk: Any, part: SpatialTransform, path: Path) -> Any:
    if isinstance(part, AffineTransform):
        matrix = LPS @ part.matrix @ LPS
        found = sitk.AffineTransform(3)
        found.SetMatrix(matrix[:3, :3].ravel().tolist())
        found.SetTranslation(matrix[:3, 3].tolist())
        return found
    return sitk.DisplacementFieldTransform(_image(sitk, one_field([part], None, path), np.float64))


def _nothing(grid: Grid) -> DisplacementTransform:
    return DisplacementTransform(grid, np.zeros((*grid.shape, 3), np.float32))


def _image(sitk: Any, field: DisplacementTransform, kind: type[np.floating[Any]]) -> Any:
    """The displacements as an image of vectors."""
    values = np.moveaxis(to_mm(field).T, 0, -1).astype(kind)
    image, affine = sitk.GetImageFromArray(values, isVector=True), LPS @ field.grid.affine
    sides = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(sides.tolist())
    image.SetDirection((affine[:3, :3] / sides).ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    return image
