"""Transforms as words of the command line: `PATH`, `PATH,inverse`, `PATH,itk`, `PATH,inverse,itk`.

They are listed from the reference to the image, as antsApplyTransforms has them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from l2r.errors import TransformError
from l2r.formats.table import format_of
from l2r.formats.transforms.base import PairGrids
from l2r.formats.transforms.learn2reg import Learn2RegField
from l2r.formats.transforms.table import DIALECTS, transform_format
from l2r.formats.volumes import read_grid
from l2r.task import load_task
from l2r.transforms.base import SpatialTransform, TransformChain
from l2r.transforms.grids import Grid
from l2r.transforms.order import check_order
from pipeline.transforms.words import PairFiles

INVERSE = "inverse"
_BIDS = re.compile(r"from-(?P<start>[^_]+)_to-(?P<end>[^_]+)_")


@dataclass(frozen=True)
class NamedTransform:
    """One transform of a chain, by its file."""

    path: Path
    inverse: bool = False
    dialect: str | None = None

    @classmethod
    def parse(cls, text: str) -> "NamedTransform":
        """Read the words of one transform.

        Raises:
            TransformError: an unknown word.
        """
        path, *words = text.split(",")
        others = [word for word in words if word != INVERSE]
        if unknown := [word for word in others if word not in DIALECTS]:
            raise TransformError(
                f"{text}: {unknown[0]!r} is neither {INVERSE} nor one of {', '.join(DIALECTS)}"
            )
        if len(others) > 1 or len(words) - len(others) > 1:
            raise TransformError(f"{text}: give {INVERSE} and the dialect once each")
        return cls(Path(path), INVERSE in words, others[0] if others else None)

    @property
    def spaces(self) -> tuple[str, str] | None:
        """Names of the fixed and the moving image by BIDS's `from-MOVING_to-FIXED`, if it has them.

        Reversed, if the transform is.
        """
        found = _BIDS.search(self.path.name)
        if found is None:
            return None
        fixed, moving = found["end"], found["start"]
        return (moving, fixed) if self.inverse else (fixed, moving)

    @property
    def counts_voxels(self) -> bool:
        """True for a field of Learn2Reg, whose place the images' grids decide."""
        return isinstance(transform_format(self.path, self.dialect), Learn2RegField)

    def read(self, grids: PairGrids) -> SpatialTransform:
        """Read the file, and invert what it holds if that is wanted."""
        found = transform_format(self.path, self.dialect).read(self.path, grids)
        return found.inverse() if self.inverse else found


@dataclass(frozen=True)
class Chain:
    """Transforms and their files, the one at the reference first."""

    named: Sequence[NamedTransform]
    parts: Sequence[SpatialTransform]

    @property
    def transform(self) -> TransformChain:
        """All of them as one."""
        return TransformChain(self.parts)

    def check_order(self, reference: Grid) -> None:
        """Refuse a chain of which a field lies elsewhere than places of the grid come along.

        Raises:
            TransformError: by its places the order is wrong.
        """
        check_order(self.parts, [str(named.path) for named in self.named], reference)


def read_chain(
    texts: Sequence[str],
    grids: PairGrids,
    reference: Grid | None = None,
    images: Sequence[Grid] = (),
) -> Chain:
    """Read the transforms of a command line.

    Args:
        texts: as `NamedTransform.parse` takes them, the one at the reference first.
        grids: of the pair, where they are given.
        reference: the grid that the chain begins on, where it is known.
        images: the grids at its end, where they are known.

    Raises:
        L2RError: a file cannot be read, by names or places they do not follow each other, or an
            image's grid must be given.
    """
    named = [NamedTransform.parse(text) for text in texts]
    _check_names(named)
    if reference is None:
        return Chain(named, [one.read(grids) for one in named])
    for one in named:  # before it is read: in a wrong place its numbers look wrong, too
        check_voxels(one, grids, reference, images)
    chain = Chain(named, [one.read(grids) for one in named])
    chain.check_order(reference)
    return chain


def _check_names(named: Sequence[NamedTransform]) -> None:
    for one, following in pairwise(named):
        if one.spaces and following.spaces and one.spaces[1] != following.spaces[0]:
            raise TransformError(
                f"{following.path}: it begins at {following.spaces[0]}, but {one.path.name} ends "
                f"at {one.spaces[1]}, by their names; list transforms from the reference to the "
                f"image, and write ,{INVERSE} after those that lead the other way"
            )


def read_grids(files: PairFiles) -> PairGrids:
    """The grids of the images of a pair, and the task, where they are given.

    Raises:
        L2RError: an image cannot be read, or no such task.
    """
    return PairGrids(
        None if files.fixed is None else read_grid(files.fixed),
        None if files.moving is None else read_grid(files.moving),
        None if files.task is None else load_task(files.task),
    )


def check_voxels(
    named: NamedTransform, grids: PairGrids, reference: Grid, images: Sequence[Grid] = ()
) -> None:
    """Refuse a field of Learn2Reg if a grid that is not given is likely to matter.

    Raises:
        TransformError: an image must be given.
    """
    if not named.counts_voxels:
        return
    own = _own_grid(named.path, grids)
    known, ends = grids.fixed or own, [reference, *images]
    placeless = grids.fixed is None and np.array_equal(own.affine, np.eye(4))
    if placeless and not all(own.has_axes_of(end.affine) for end in ends):
        raise TransformError(
            f"{named.path}: its header has no position, as many tools write Learn2Reg's fields; "
            "give the fixed image of the pair (--fixed)"
        )
    far = [reference] if named.inverse else images
    if grids.moving is None and not all(known.has_axes_of(end.affine) for end in far):
        raise TransformError(
            f"{named.path}: it counts voxels of the moving image, and the images at hand have "
            "other grids than the fixed one; give the moving image of the pair (--moving)"
        )


def _own_grid(path: Path, grids: PairGrids) -> Grid:
    """The grid of a field by its header; NumPy's archives have none."""
    if format_of(path).has_volumes:
        return read_grid(path)
    if grids.fixed is None:
        raise TransformError(f"{path}: such files have no header; give the fixed image (--fixed)")
    return grids.fixed
