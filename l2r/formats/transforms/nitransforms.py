"""Transforms by way of nitransforms: X5 (BIDS), FreeSurfer's LTA, FSL's matrices."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from l2r.disk import replacing
from l2r.errors import TransformError
from l2r.formats.transforms.base import (
    PairGrids,
    TransformFormat,
    image_on,
    library,
    loaded,
    needed,
    one_field,
    one_matrix,
)
from l2r.transforms.base import AffineTransform, SpatialTransform, as_matrix
from l2r.transforms.millimetres import RAS, from_mm, to_mm


class X5(TransformFormat):
    """One transform of BIDS BEP014, a matrix or a dense field, in RAS millimetres."""

    dialect: ClassVar[str] = "x5"
    suffixes: ClassVar[tuple[str, ...]] = (".x5",)

    def read(self, path: Path, _grids: PairGrids, /) -> SpatialTransform:
        x5 = library("nitransforms.io.x5", path)
        node, *others = loaded(path, x5.from_filename, Exception, "nitransforms")
        if others:
            raise TransformError(f"{path}: {len(others) + 1} transforms, but one is expected")
        if node.type == "linear":
            return AffineTransform(np.reshape(node.transform, (4, 4)))
        if node.type != "nonlinear" or node.representation != "displacements":
            raise TransformError(
                f"{path}: a {node.type} transform of {node.representation}, but a matrix or a "
                "field of displacements is expected"
            )
        return from_mm(node.transform, np.asarray(node.domain.mapping), path, RAS)

    def write(self, path: Path, parts: Sequence[SpatialTransform], grids: PairGrids, /) -> None:
        x5 = library("nitransforms.io.x5", path)
        matrix = as_matrix(parts)
        if matrix is not None:
            kind, values, grid = ("linear", "affine", "matrix"), matrix.matrix, grids.fixed
        else:
            field = one_field(parts, grids.fixed, path)
            kind, values = ("nonlinear", "densefield", "displacements"), to_mm(field, RAS)
            grid = field.grid
        node = x5.X5Transform(
            type=kind[0],
            subtype=kind[1],
            representation=kind[2],
            metadata={"WrittenBy": "Regatta"},
            transform=values,
            dimension_kinds=("space", "space", "space", "vector"),
            domain=grid and x5.X5Domain(True, grid.shape, grid.affine, "cartesian"),  # noqa: FBT003
        )
        with replacing(path) as place:
            x5.to_filename(place, [node])


class _LinearFormat(TransformFormat):
    """A matrix that counts from the corners of two images."""

    word: ClassVar[str]
    """The format as nitransforms calls it."""

    def read(self, path: Path, grids: PairGrids, /) -> SpatialTransform:
        linear = library("nitransforms.linear", path)
        fixed, moving = self._images(grids, path)

        def load(place: str) -> Any:
            return linear.Affine.from_filename(place, self.word, reference=fixed, moving=moving)

        found = loaded(path, load, Exception, "nitransforms")
        return AffineTransform(np.asarray(found.matrix, np.float64))

    def write(self, path: Path, parts: Sequence[SpatialTransform], grids: PairGrids, /) -> None:
        linear = library("nitransforms.linear", path)
        fixed, moving = self._images(grids, path)
        found = linear.Affine(one_matrix(parts, path).matrix, reference=fixed)
        with replacing(path) as place:
            found.to_filename(place, self.word, moving=moving)

    def _images(self, grids: PairGrids, path: Path) -> tuple[Any, Any]:
        fixed, moving = needed(grids.fixed, "fixed", path), needed(grids.moving, "moving", path)
        return image_on(fixed), image_on(moving)


class Lta(_LinearFormat):
    """FreeSurfer's linear transforms."""

    dialect: ClassVar[str] = "lta"
    suffixes: ClassVar[tuple[str, ...]] = (".lta",)
    word: ClassVar[str] = "fs"


class FslMatrix(_LinearFormat):
    """FLIRT's matrices, four lines of four numbers."""

    dialect: ClassVar[str] = "fsl"
    suffixes: ClassVar[tuple[str, ...]] = (".mat",)
    word: ClassVar[str] = "fsl"
