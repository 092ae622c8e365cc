"""Resampling of images, label maps and series by a chain of transforms, from files to files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from l2r.disk import make_folder
from l2r.errors import ImageError, OutputError
from l2r.formats.base import Stored
from l2r.formats.nifti import Nifti, time_step_s
from l2r.formats.table import IMAGE_NAMES, IMAGE_SUFFIXES, format_of
from l2r.formats.volumes import read_grid
from l2r.transforms.grids import Grid
from l2r.transforms.resample import Resampling
from l2r.transforms.words import Interpolation
from pipeline.transforms.chain import read_chain, read_grids
from pipeline.transforms.words import PairFiles


@dataclass(frozen=True)
class ApplyRequest:
    """Images, where they go, and how they are interpolated."""

    images: Sequence[Path]
    output: Path
    reference: Path
    interpolation: Interpolation = "linear"
    outside: float = 0.0


def apply_chain(
    request: ApplyRequest, transforms: Sequence[str], files: PairFiles
) -> Iterator[Path]:
    """Bring every image onto the reference grid; each is interpolated once.

    Args:
        request: the images.
        transforms: as `read_chain` takes them.
        files: of the pair, where they are given.

    Yields:
        The files, as they are written.

    Raises:
        L2RError: an image, a transform or the output cannot be used; nothing is written then of
            the image that it is about, and nothing at all if the chain is at fault.
    """
    targets, grids = _targets(request), read_grids(files)
    reference = read_grid(request.reference)
    chain = read_chain(transforms, grids, reference, [read_grid(i) for i in request.images])
    resampling = Resampling(reference, chain.transform, request.interpolation, request.outside)
    for image, target in zip(request.images, targets, strict=True):
        _write(target, _resampled(image, resampling), reference, image)
        yield target


def _targets(request: ApplyRequest) -> list[Path]:
    """The file of every image; the output is one, or a folder."""
    if request.output.name.endswith(IMAGE_SUFFIXES):
        if len(request.images) > 1:
            raise OutputError(
                f"{request.output}: one file for {len(request.images)} images; give a folder"
            )
        return [request.output]
    names = [image.name for image in request.images]
    if twice := {name for name in names if names.count(name) > 1}:
        raise OutputError(f"{request.output}: two images are called {twice.pop()}; apply apart")
    targets = [request.output / name for name in names]
    for image, target in zip(request.images, targets, strict=True):
        if target.resolve() == image.resolve():
            raise OutputError(f"{target}: is the image itself; give another folder")
        if not target.name.endswith(IMAGE_SUFFIXES):
            raise ImageError(f"{image}: must be a {IMAGE_NAMES} file")
    make_folder(request.output)
    return targets


def _resampled(path: Path, resampling: Resampling) -> np.ndarray:
    stored = _read(path, resampling)
    try:
        return resampling(stored.array, stored.affine)
    except ImageError as cause:
        raise ImageError(f"{path}: {cause}") from None


def _read(path: Path, resampling: Resampling) -> Stored:
    """A volume or a series, without axes of length one at the end."""
    stored = format_of(path).read(path, ImageError)
    shape = stored.array.shape
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) == 2:
        shape = (*shape, 1)
    if len(shape) not in {3, 4} or 0 in shape:
        raise ImageError(
            f"{path}: shape {stored.array.shape}, but a volume or a series of volumes is expected; "
            "a displacement field is composed, see regatta compose"
        )
    floating = stored.array.dtype.kind == "f"
    if not floating and not np.isfinite(resampling.outside):
        raise ImageError(f"{path}: whole numbers have no {resampling.outside} for the outside")
    spreads = floating and resampling.interpolation != "nearest"
    if spreads and (bad := int(np.count_nonzero(~np.isfinite(stored.array)))):
        raise ImageError(
            f"{path}: {bad} voxels are NaN or infinite and would spread; set them to a number, or "
            "take nearest"
        )
    return stored._replace(array=stored.array.reshape(shape, order="F"))


def _write(target: Path, array: np.ndarray, grid: Grid, source: Path) -> None:
    kind = format_of(target)
    if array.ndim == 4 and isinstance(kind, Nifti) and isinstance(format_of(source), Nifti):
        kind.write(target, array, grid.affine, time_step_s=time_step_s(source, ImageError))
    else:
        kind.write(target, array, grid.affine)
