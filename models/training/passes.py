"""Teaching a network for several passes: each step teaches one of them, on a piece of the pair.

Pieces make full resolution affordable: what was predicted before on coarser images, where the whole
pair is seen, brings the piece close enough to be registered by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import prod
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool3d

from l2r.arrays import Shape, triple
from models.descent.objective import ImagePair
from models.losses.base import CandidateTransform
from models.losses.dice import LabelVolumes
from models.networks.base import RegistrationModel
from models.networks.passes import MultiPass, PassSettings
from models.spatial.constants import constants
from models.spatial.coordinate_maps import CoordinateMap, ImageBatch
from models.spatial.parametrisation import compose
from models.spatial.warp import resize_field, sample, upsample_field
from models.training.config import TrainConfig
from models.training.sampling import means
from models.types import Fields, Stacks

_MOST_STRUCTURES = 8
"""Of a step, drawn at random: a channel of full resolution each would take most of the time."""
_STRIDE = 4
"""Voxels from one place to the next that a piece may be centred on."""


AnyVolume = TypeVar("AnyVolume", Stacks, LabelVolumes)


@dataclass(frozen=True)
class Piece:
    """A box of the fixed image's grid."""

    start: Shape
    size: Shape

    def of(self, stack: AnyVolume) -> AnyVolume:
        """The part of a stack that lies in the box."""
        for axis, (start, size) in enumerate(zip(self.start, self.size, strict=True), start=-3):
            stack = stack.narrow(axis, start, size)
        return stack

    def shrunk(self, factor: int) -> "Piece":
        """The same on a grid whose voxels are cubes of `factor` voxels a side."""
        start, size = ([length // factor for length in part] for part in (self.start, self.size))
        return Piece(triple(start), triple(size))

    def places(self, field: Fields) -> Fields:
        """`p + u(p)` for every voxel `p` of the piece, in voxels of the whole grid."""
        lines = [
            torch.arange(start, start + size, dtype=field.dtype, device=field.device)
            for start, size in zip(self.start, self.size, strict=True)
        ]
        return field + torch.stack(torch.meshgrid(*lines, indexing="ij"))


class PieceTransform(CandidateTransform):
    """The composed field of all passes up to the taught one, on a piece of the fixed image."""

    def __init__(self, fixed: ImageBatch, field: Fields, places: Fields) -> None:
        """`places`: of the moving stacks that are to be warped, in voxels of these."""
        self.fixed, self._field, self._places = fixed, field, places

    @property
    def optimised(self) -> Float[Tensor, "_ 3 _ _ _"]:
        return self._field

    @property
    def displacement(self) -> Float[Tensor, "_ 3 _ _ _"]:
        return self._field

    @property
    def forward(self) -> CoordinateMap:
        raise NotImplementedError("a piece of a pair has no map")

    @property
    def inverse(self) -> CoordinateMap:
        raise NotImplementedError("a piece of a pair has no map")

    def warp(self, moving: Stacks) -> Stacks:
        return _at(moving, self._places)

    def warp_inverse(self, fixed: Stacks) -> Stacks:
        raise NotImplementedError("a piece of a pair is compared one way")


class TaughtPasses:
    """Draws the pass that a step teaches and the piece that it is taught on, and predicts there.

    A pass is taught on the whole pair if it sees no more voxels of it than a piece has.
    """

    def __init__(self, model: RegistrationModel, config: TrainConfig) -> None:
        """`config`: of a training `in_pieces`."""
        self._passes = PassSettings(config.passes, half=config.precision == "bfloat16")
        self._model, self._crop = MultiPass(model, self._passes), config.crop
        self._structures = config.data.structures

    def __call__(
        self, case: ImagePair, random: torch.Generator
    ) -> tuple[PieceTransform, ImagePair]:
        """The transform that is to be judged, and what it is judged by.

        Args:
            case: at full resolution, label maps as they are.
            random: what pass, piece and structures are drawn from.
        """
        shrinks = self._passes.shrinks
        taught = int(torch.randint(len(shrinks), (), generator=random))
        shrink = shrinks[taught]
        piece = self._piece(case.fixed, shrink, random)
        with torch.no_grad():
            before = self._before(case, shrinks[:taught], piece)
        field = self._rest(case, before, piece, shrink)
        if before is not None:
            field = compose(resize_field(before, triple(field.shape[2:])), field)
        return self._judged(case, field, piece, shrink, random)

    def _before(self, case: ImagePair, shrinks: Sequence[int], piece: Piece) -> Fields | None:
        """The field of these passes on the piece, in voxels of the images."""
        if not shrinks:
            return None
        shape = triple(case.fixed.shape[2:])
        whole = list(takewhile(lambda shrink: self._fits(shape, shrink), shrinks))
        field: Fields | None = None
        for shrink in whole:
            field = self._model.further(field, case.fixed, case.moving, shrink)
        inside = None if field is None else piece.of(field)
        for shrink in shrinks[len(whole) :]:
            rest = upsample_field(self._rest(case, inside, piece, shrink), shrink)
            inside = rest if inside is None else compose(inside, rest)
        return inside

    def _rest(self, case: ImagePair, before: Fields | None, piece: Piece, shrink: int) -> Fields:
        """The field of one pass on the piece, in voxels of what the network sees."""
        fixed = piece.of(case.fixed)
        moved = None if before is None else _at(case.moving, piece.places(before))
        moving = piece.of(case.moving) if moved is None else moved
        return self._model.network(avg_pool3d(fixed, shrink), avg_pool3d(moving, shrink))

    def _judged(
        self, case: ImagePair, field: Fields, piece: Piece, shrink: int, random: torch.Generator
    ) -> tuple[PieceTransform, ImagePair]:
        """The pair on the piece; of the moving side, the box that the field reaches."""
        places = piece.shrunk(shrink).places(field)
        low, high = _reached(places.detach(), [size // shrink for size in case.moving.shape[2:]])
        box = Piece(
            triple([shrink * start for start in low]),
            triple([shrink * (end - start) for start, end in zip(low, high, strict=True)]),
        )
        fixed, moving = piece.of(case.fixed), box.of(case.moving)
        labels = None
        if case.labels is not None:
            labels = piece.of(case.labels[0]).long(), box.of(case.labels[1]).long()
        judged = ImagePair(
            avg_pool3d(fixed, shrink),
            avg_pool3d(moving, shrink),
            labels and self._stacks(*labels, shrink, random),
        )
        there = places - constants(places, low).view(3, 1, 1, 1)
        return PieceTransform(judged.fixed, field, there), judged

    def _stacks(
        self, fixed: LabelVolumes, moving: LabelVolumes, shrink: int, random: torch.Generator
    ) -> tuple[Stacks, Stacks] | None:
        """Some of the structures that both sides have; None if there are none."""
        found = set(fixed.unique().tolist()) & set(moving.unique().tolist()) - {0}  # type: ignore[no-untyped-call]
        if self._structures is not None:
            found &= set(self._structures)
        known = sorted(found)
        order = torch.randperm(len(known), generator=random).tolist()
        wanted = [known[place] for place in order[:_MOST_STRUCTURES]]
        if not wanted:
            return None
        return means(fixed, wanted, shrink), means(moving, wanted, shrink)

    def _fits(self, shape: Shape, shrink: int) -> bool:
        return self._crop is None or prod(shape) <= (self._crop * shrink) ** 3

    def _piece(self, fixed: ImageBatch, shrink: int, random: torch.Generator) -> Piece:
        """Around a voxel that is no background, but within the image."""
        shape = triple(fixed.shape[2:])
        if self._fits(shape, shrink) or self._crop is None:
            return Piece((0, 0, 0), shape)
        size = triple([min(self._crop * shrink, length) for length in shape])
        coarse = fixed[0, 0, ::_STRIDE, ::_STRIDE, ::_STRIDE]
        inside = coarse.nonzero() if coarse.any() else torch.ones_like(coarse).nonzero()
        number = int(torch.randint(len(inside), (), generator=random))
        middle = _STRIDE * inside[number].cpu()
        start = [
            min(max(int(centre) - side // 2, 0), length - side) // shrink * shrink
            for centre, side, length in zip(middle, size, shape, strict=True)
        ]
        return Piece(triple(start), size)


def _reached(places: Fields, shape: Sequence[int]) -> tuple[list[int], list[int]]:
    """First and behind the last voxel of an image that linear interpolation at the places needs."""
    low, high = places.amin((0, 2, 3, 4)), places.amax((0, 2, 3, 4))
    first = [
        min(max(int(value) - 1, 0), size - 1)
        for value, size in zip(low.floor().tolist(), shape, strict=True)
    ]
    last = [
        min(max(int(value) + 2, start + 1), size)
        for value, start, size in zip(high.ceil().tolist(), first, shape, strict=True)
    ]
    return first, last


def _at(image: Stacks, places: Fields) -> Stacks:
    """The image at places in its voxels, zero beyond it."""
    ends = [max(size - 1, 1) for size in image.shape[2:]]
    return sample(image, places / constants(places, ends).view(3, 1, 1, 1), padding="zeros")
