"""A network that is applied to a pair several times, each time to what is left to be registered."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from l2r.arrays import triple
from models.networks.base import RegistrationModel
from models.spatial.blocks import block_means
from models.spatial.parametrisation import compose
from models.spatial.warp import resize_field, warp
from models.types import Fields, Volumes


@dataclass(frozen=True)
class PassSettings:
    """Number and resolutions of the passes of a network."""

    shrinks: Sequence[int] = (1,)
    """One number per pass: the network sees means over cubes of so many voxels a side."""
    mirror: int | None = None
    """Array axis from left to right: each pass is also done on the mirrored pair, and the two
    fields are averaged."""
    half: bool = False
    """The network, but nothing around it, computes in bfloat16 where autocast allows it."""


class MultiPass:
    """The passes of a network over a pair, one after the other.

    The first pass sees both images. Every other one sees the moving image as the field `u` of the
    passes before it warps the image at full resolution, and predicts what is missing, `w`. The two
    are one field, `w(p) + u(p + w(p))`, so the moving image itself is interpolated only once.

    Source:
        de Vos et al. (2019), A deep learning framework for unsupervised affine and deformable image
        registration, doi:10.1016/j.media.2018.11.010, and Zhao et al. (2019), Recursive cascaded
        networks, arXiv:1907.12353, have a network per pass; here it is the same one.
    """

    def __init__(self, model: RegistrationModel, settings: PassSettings) -> None:
        """`model` is used as it is: device, mode and gradients are the caller's."""
        self._model, self._settings = model, settings

    def __call__(
        self, fixed: Volumes, moving: Volumes, deadline: float | None = None
    ) -> tuple[Fields, int]:
        """The field of all passes for which there was time, and how many these were.

        Args:
            fixed: on a grid that each shrunk grid of which suits the network.
            moving: on the same grid.
            deadline: in seconds of `time.monotonic`; no pass but the first one is begun that would
                likely end later, judged by the passes before it.
        """
        watch = _Watch(deadline)
        first, *others = self._settings.shrinks
        with watch.timing(first):
            field = self.further(None, fixed, moving, first)
        for done, shrink in enumerate(others, start=1):
            if not watch.has_time_for(shrink):
                return field, done
            with watch.timing(shrink):
                field = self.further(field, fixed, moving, shrink)
        return field, len(self._settings.shrinks)

    def further(self, field: Fields | None, fixed: Volumes, moving: Volumes, shrink: int) -> Fields:
        """The field of one pass more than those that led to `field`."""
        if field is None:
            return self.predict(fixed, moving, shrink)
        return compose(field, self.predict(fixed, warp(moving, field), shrink))

    def predict(self, fixed: Volumes, moving: Volumes, shrink: int) -> Fields:
        """The field of one pass, in voxels of the images."""
        seen = block_means(fixed, shrink), block_means(moving, shrink)
        field = self.network(*seen)
        if (axis := self._settings.mirror) is not None:
            mirrored = self.network(*(image.flip(2 + axis) for image in seen)).flip(2 + axis)
            mirrored[:, axis].neg_()
            field = (field + mirrored) / 2
        return resize_field(field, triple(fixed.shape[2:]))

    def network(self, fixed: Volumes, moving: Volumes) -> Fields:
        """The field that the network predicts for two images, in their voxels."""
        with torch.autocast(fixed.device.type, torch.bfloat16, enabled=self._settings.half):
            field = self._model(fixed, moving)
        return field.float() if self._settings.half else field


class _Watch:
    """The time of a pass, from what earlier ones took for each voxel that the network saw."""

    def __init__(self, deadline: float | None) -> None:
        self._deadline, self._slowest = deadline, 0.0

    @contextmanager
    def timing(self, shrink: int) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._slowest = max(self._slowest, (time.monotonic() - began) * shrink**3)

    def has_time_for(self, shrink: int) -> bool:
        expected = self._slowest / shrink**3
        return self._deadline is None or time.monotonic() + expected < self._deadline
