"""Weights and images that anyone can make again: every tensor from a stream seeded by its name."""

import zlib
from math import prod

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

HEADS = {"reg_head", "reg_heads", "flow", "lastConv"}


def made_up_weights(
    state: dict[str, Tensor], head_std: float, gain: float = 1.0
) -> dict[str, Tensor]:
    """Of the same names and shapes as `state`, as the published code was filled for the vectors."""

    def fill(name: str, value: Tensor) -> Tensor:
        if not value.is_floating_point():
            return value
        seed = zlib.crc32(name.encode()) & 0xFFFFFFFF
        normal = np.random.RandomState(seed).standard_normal(tuple(value.shape))
        return torch.from_numpy(np.asarray(scaled(name, normal))).float()

    def scaled(name: str, normal: np.ndarray) -> np.ndarray:
        stds = {
            "running_mean": 0.1,
            "relative_position_bias_table": 0.5,
            "position_embeddings": 0.5,
            "bias": 0.05,
        }
        for ending, std in stds.items():
            if name.endswith(ending):
                return normal * std
        if name.endswith("running_var"):
            return 1 + 0.3 * np.abs(normal)
        if normal.ndim == 1:
            return 1 + 0.1 * normal
        is_head = not HEADS.isdisjoint(name.split("."))
        return normal * (head_std if is_head else gain / prod(normal.shape[1:]) ** 0.5)

    return {name: fill(name, value) for name, value in state.items()}


def made_up_volume(shape: tuple[int, int, int], seed: int) -> Tensor:
    """A smooth blob with a little noise, in [0, 1], `(1, 1, x, y, z)`."""
    random = np.random.RandomState(seed)
    image = gaussian_filter(random.standard_normal(shape), 2.0)
    image = (image - image.min()) / (image.max() - image.min())
    ramps = [np.clip(1.4 - 1.4 * np.abs(np.linspace(-1, 1, size)), 0, 1) for size in shape]
    inside = ramps[0][:, None, None] * ramps[1][:, None] * ramps[2] > 0.05
    image = image * inside + 0.02 * random.rand(*shape) * inside
    return torch.from_numpy(image / image.max()).float()[None, None]
