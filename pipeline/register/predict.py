"""From two volumes to a displacement field, by a network."""

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor, nn

from l2r.arrays import Labels, Vectors, Volume
from l2r.field import from_channels_first, to_channels_first
from l2r.prepare import Prepared
from models.descent.objective import ImagePair
from models.networks.base import RegistrationModel
from models.spatial.warp import upsample_field
from models.types import Fields, Volumes
from pipeline.register.records import Predicted


class PredictField:
    """Run a network once, without gradients."""

    def __init__(
        self,
        model: RegistrationModel,
        device: torch.device,
        *,
        half: bool = False,
        shrink: int = 1,
    ) -> None:
        """`half`: in bfloat16 wherever torch's autocast allows it; `shrink`: see `RunConfig`."""
        self._model = model.to(device).eval()
        arrange_for(device, self._model)
        self._device, self._half, self._shrink = device, half, shrink

    def __call__(self, item: Prepared, /) -> Predicted:
        images = ImagePair(to_torch(item.fixed, self._device), to_torch(item.moving, self._device))
        half = torch.autocast(self._device.type, torch.bfloat16, enabled=self._half)
        with torch.no_grad():  # not in inference mode, whose tensors no refinement could use
            seen = images.shrunk(self._shrink)
            with half:
                field = self._model(seen.fixed, seen.moving)
            field = upsample_field(field.float(), self._shrink)
        # A CPU's networks leave channels innermost; kernels choose their order by the layout.
        return Predicted(item, images, field.contiguous())


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
