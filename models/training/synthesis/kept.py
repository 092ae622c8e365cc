"""Made-up images that are painted once and used again.

At full resolution painting takes longer than a step of the training.
"""

import hashlib
import json
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from models.training.cache import Cache, CachedArray
from models.training.resident import Resident
from models.training.synthesis.config import Synthesis
from models.training.synthesis.image import LabelMap
from models.types import Volumes

_BRIGHTEST = 255
"""An image is kept in bytes, as real ones are."""


class KeptImages:
    """A folder of images with their label maps, each painted when it is first asked for."""

    def __init__(self, cache: Cache, config: Synthesis, shrink: int) -> None:
        """`config` and `shrink` are part of an image's name: others have other images."""
        self._cache = cache
        self._settings = [config.deformation.model_dump(), config.appearance.model_dump(), shrink]
        self._resident = Resident[tuple[Tensor, LabelMap]]()

    def __call__(
        self,
        identity: Sequence[int | str],
        paint: Callable[[], tuple[Volumes, LabelMap]],
        device: torch.device,
    ) -> tuple[Volumes, LabelMap]:
        """The image of that identity, in [0, 1], and its label map."""
        text = json.dumps([*identity, self._settings])
        name = hashlib.sha256(text.encode()).hexdigest()[:24]
        found = self._resident.find(name)
        if found is None:
            found = self._read(name, paint, device)
            self._resident.keep(name, found, device)
        image, labels = found
        return image.float() / _BRIGHTEST, labels.int()

    def _read(
        self, name: str, paint: Callable[[], tuple[Volumes, LabelMap]], device: torch.device
    ) -> tuple[Tensor, LabelMap]:
        """Bytes of an image, and its label map, as the cache has it."""
        made: list[tuple[Volumes, LabelMap]] = []

        def once() -> tuple[Volumes, LabelMap]:
            if not made:
                made.append(paint())
            return made[0]

        image = self._cache.made(f"painted-{name}", lambda: _bytes(once()[0]))
        labels = self._cache.made(f"structures-{name}", lambda: once()[1][0, 0].cpu().numpy())
        return _uploaded(image, device), _uploaded(labels, device)


def _uploaded(array: CachedArray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.array(array))[None, None].to(device)


def _bytes(image: Volumes) -> np.ndarray:
    return (image[0, 0] * _BRIGHTEST).round().byte().cpu().numpy()
