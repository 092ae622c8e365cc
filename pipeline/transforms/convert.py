"""Transforms made of transforms: inverted, composed, converted, and their Jacobians."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from l2r.errors import TransformError
from l2r.formats.transforms.base import PairGrids
from l2r.formats.transforms.table import write_transform
from l2r.formats.volumes import read_grid, write_volume
from l2r.transforms.base import AffineTransform, SpatialTransform, as_matrix, singles
from l2r.transforms.compose import as_displacement, compose
from l2r.transforms.grids import Grid
from l2r.transforms.jacobian import jacobian
from l2r.transforms.residual import round_trip
from pipeline.transforms.chain import (
    INVERSE,
    Chain,
    NamedTransform,
    check_voxels,
    read_chain,
    read_grids,
)
from pipeline.transforms.words import MapKind, PairFiles

_LEAST = 1e-6
"""Determinant whose logarithm stands for all smaller ones, folds among them."""


@dataclass(frozen=True)
class Output:
    """A file of a transform to be written, `FILE` or `FILE,DIALECT`."""

    path: Path
    dialect: str | None

    @classmethod
    def parse(cls, text: str) -> "Output":
        """Read the words.

        Raises:
            TransformError: an unknown word.
        """
        named = NamedTransform.parse(text)
        if named.inverse:
            raise TransformError(f"{text}: {INVERSE} is for files that are read")
        return cls(named.path, named.dialect)

    def write(self, parts: Sequence[SpatialTransform], grids: PairGrids) -> None:
        write_transform(self.path, parts, grids, self.dialect)


def convert(text: str, output: Output, files: PairFiles) -> None:
    """Write a transform in another format.

    Raises:
        L2RError: it cannot be read, or the format cannot hold it.
    """
    grids = read_grids(files)
    output.write([*singles([NamedTransform.parse(text).read(grids)])], grids)


def compose_files(
    texts: Sequence[str], output: Output, files: PairFiles, reference: Path | None
) -> str:
    """Write a chain as one transform, and describe it.

    Raises:
        L2RError: as for `read_chain`, or no grid is known.
    """
    grids = read_grids(files)
    chain, grid = _chain(texts, grids, reference)
    found = compose(chain.parts, grid)
    output.write([found], replace(grids, fixed=grid))
    return (
        "a matrix" if isinstance(found, AffineTransform) else f"a field on a grid of {grid.shape}"
    )


def invert_file(
    text: str, output: Output, files: PairFiles, reference: Path | None, residual: Path | None
) -> list[str]:
    """Write the inverse of a transform, and say how well it inverts.

    Args:
        text: the transform.
        output: the file of its inverse.
        files: of the pair.
        reference: image on whose grid the inverse is found, the moving one.
        residual: file of a map of the residual on that grid.

    Raises:
        L2RError: it cannot be read, or the format cannot hold the inverse.
    """
    grids = read_grids(files)
    forward = NamedTransform.parse(text).read(grids)
    matrix = as_matrix([forward])
    if matrix is not None:
        output.write([matrix.inverse()], _swapped(grids))
        return ["a matrix: inverted exactly"]
    own = forward.own_grid()
    target = read_grid(reference) if reference else (grids.moving or own or grids.fixed)
    if target is None:
        raise TransformError(f"{output.path}: an inverse field needs a grid; give --reference")
    own = own or target
    inverse = as_displacement(forward.inverse(), target)
    output.write([inverse], _swapped(replace(grids, moving=target, fixed=grids.fixed or own)))
    backward, distances = round_trip(inverse, forward, target, own)
    if residual is not None:
        write_volume(residual, np.nan_to_num(distances), target.affine)
    forth, _ = round_trip(forward, inverse, own, target)
    return [f"from the moving grid: {backward}", f"from the fixed grid: {forth}"]


def jacobian_map(
    texts: Sequence[str], output: Path, files: PairFiles, reference: Path | None, kind: MapKind
) -> str:
    """Write a map of the determinant, and sum it up.

    Raises:
        L2RError: as for `read_chain`, or no grid is known.
    """
    chain, grid = _chain(texts, read_grids(files), reference)
    found = jacobian(chain.transform, grid)
    log = np.log(np.maximum(found, _LEAST))
    maps = {"log": log, "folds": (found <= 0).astype(np.uint8)}
    write_volume(output, maps.get(kind, found), grid.affine)
    return (
        f"determinant {found.min():.3g} to {found.max():.3g}, SDlogJ {log.std():.3g}, "
        f"{100 * float((found <= 0).mean()):.3g} % of the voxels folded"
    )


def _chain(texts: Sequence[str], grids: PairGrids, reference: Path | None) -> tuple[Chain, Grid]:
    """Read a chain, and find the grid that it begins on."""
    known = read_grid(reference) if reference else grids.fixed
    chain = read_chain(texts, grids, known)
    if known is not None:
        return chain, known
    grid = chain.transform.own_grid()
    if grid is None:
        raise TransformError(
            f"{chain.named[0].path}: it has no grid of its own; give --reference IMAGE"
        )
    for named in chain.named:
        check_voxels(named, grids, grid)
    chain.check_order(grid)
    return chain, grid


def _swapped(grids: PairGrids) -> PairGrids:
    """The pair as the inverse has it."""
    return PairGrids(grids.moving, grids.fixed, grids.task)
