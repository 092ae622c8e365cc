"""From two volumes to a displacement field, by a network."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor, nn

from l2r.arrays import Labels, Vectors, Volume
from l2r.errors import ImageError
from l2r.field import from_channels_first, to_channels_first
from l2r.prepare import Prepared
from models.descent.objective import ImagePair
from models.networks.base import InvertibleModel, RegistrationModel
from models.networks.passes import MultiPass, PassSettings
from models.segmentation.segmenter import Segmenter
from models.spatial.blocks import block_means
from models.spatial.warp import resize_field
from models.types import Fields, Volumes
from pipeline.register.records import Predicted

_STILL_VOX = 1e-2
"""Longest displacement of a network that has moved nothing; untrained heads are not quite zero."""


_SLICE = (
    "is one slice, but [segmentation] of the run file knows whole brains only; leave it out, and "
    "`anatomy` of refinements"
)


class PredictField:
    """Run the passes of a network, without gradients."""

    def __init__(
        self,
        model: RegistrationModel,
        device: torch.device,
        passes: PassSettings = PassSettings(),  # noqa: B008 - frozen
        segmenter: Segmenter | None = None,
    ) -> None:
        """`passes`: see `RunConfig`; `segmenter`: finds soft labels of both images, for anatomy."""
        model = model.to(device).eval()
        arrange_for(device, model)
        self._predict, self._device = MultiPass(model, passes), device
        self._passes, self._segmenter = len(passes.shrinks), segmenter
        self._has_weights = next(model.parameters(), None) is not None

    def __call__(self, item: Prepared, deadline: float | None = None) -> Predicted:
        """The field of all passes that end before `deadline`, in seconds of `time.monotonic`.

        Raises:
            ImageError: soft labels are wanted of one slice.
        """
        images = ImagePair(to_torch(item.fixed, self._device), to_torch(item.moving, self._device))
        if self._segmenter is not None:
            if 1 in item.grid.shape:
                raise ImageError(f"{item.pair.fixed.path}: {_SLICE}")
            images = replace(images, anatomy=self._segmenter.pair(images.fixed, images.moving))
        with torch.no_grad():  # not in inference mode, whose tensors no refinement could use
            field, done = self._predict(images.fixed, images.moving, deadline)
        # A CPU's networks leave channels innermost; kernels choose their order by the layout.
        still = self._has_weights and float(field.abs().max()) < _STILL_VOX
        return Predicted(
            item, images, field.contiguous(), warnings=self._left_out(done), still=still
        )

    def _left_out(self, done: int) -> tuple[str, ...]:
        if done == self._passes:
            return ()
        return (f"no time for {self._passes - done} of the network's {self._passes} passes",)


class PredictInverse:
    """The inverse that a network itself predicts, in one pass without gradients."""

    def __init__(self, model: InvertibleModel, device: torch.device, shrink: int) -> None:
        """`shrink`: the network sees means over cubes of so many voxels a side."""
        self._model, self._device, self._shrink = model, device, shrink

    def __call__(self, item: Prepared) -> Float32[np.ndarray, "x y z 3"]:
        """Displacement on the moving image's working grid, in its voxels."""
        images = (to_torch(volume, self._device) for volume in (item.fixed, item.moving))
        with torch.no_grad():
            seen = (block_means(image, self._shrink) for image in images)
            _, inverse = self._model.forward_and_inverse(*seen)
            return to_numpy(resize_field(inverse, item.moving.shape))


def arrange_for(device: torch.device, model: RegistrationModel) -> None:
    """On a CPU, channels innermost in memory: convolutions take up to half the time.

    Not where instance normalisation, which then is slower, eats up what they gain.
    """
    slowed = any(isinstance(part, nn.InstanceNorm3d) for part in model.modules())
    if device.type == "cpu" and not slowed:
        model.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]


def to_torch(volume: Volume, device: torch.device) -> Volumes:
    """`(x, y, z)` as a batch of one, `(1, 1, x, y, z)`."""
    return torch.from_numpy(volume)[None, None].to(device)


def labels_to_torch(labels: Labels, device: torch.device) -> Int64[Tensor, "1 1 x y z"]:
    """`(x, y, z)` of any whole numbers as a batch of one."""
    return torch.from_numpy(labels.astype(np.int64))[None, None].to(device)


def field_to_torch(vectors: Vectors, device: torch.device) -> Fields:
    """`(x, y, z, 3)` as a batch of one, `(1, 3, x, y, z)`."""
    return torch.from_numpy(np.ascontiguousarray(to_channels_first(vectors)))[None].to(device)


def to_numpy(field: Fields) -> Float32[np.ndarray, "x y z 3"]:
    """The inverse of `field_to_torch`."""
    return from_channels_first(field[0].float().cpu().numpy())
