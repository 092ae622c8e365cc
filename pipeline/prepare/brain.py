"""Brain extraction by the networks of deepbet, which the wheel of that package holds.

Source:
    Fisch et al. (2024), deepbet: Fast brain extraction of T1-weighted MRI using convolutional
    neural networks, doi:10.1016/j.compbiomed.2024.108845; github.com/wwu-mmll/deepbet, MIT.
"""

import warnings
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.ndimage import binary_fill_holes, label
from torch import Tensor
from torch.nn import functional

from l2r.errors import ConfigError, ImageError
from l2r.formats.volumes import Image

INSTALL = "pip install 'regatta[prepare]'"
Mask = Bool[np.ndarray, "_ _ _"]

_COARSE, _FINE = (128,) * 3, (256,) * 3
"""Grids of the network that finds the brain's box and of the one that finds the brain."""
_QUANTILES = (0.005, 0.995)
_MARGIN = 0.1
"""Of the box, as a share of its sides."""
_LEAST_PART = 0.02
"""Share of a plane that is brain where the box begins."""
_TOUCHING = np.ones((3, 3, 3), bool)


class BrainExtraction:
    """Finds the brain in heads of any contrast, orientation and resolution."""

    def __call__(self, image: Image) -> Mask:
        """The brain's mask on the image's own grid.

        Raises:
            ConfigError: deepbet is not installed.
            ImageError: no brain was found.
        """
        to_ras = nib.io_orientation(image.affine)
        array = nib.apply_orientation(image.array, to_ras)
        mask = self._mask(torch.from_numpy(np.ascontiguousarray(array)))
        back = nib.orientations.ornt_transform(np.array([[0, 1], [1, 1], [2, 1]]), to_ras)
        return np.ascontiguousarray(nib.apply_orientation(mask, back))

    def _mask(self, array: Float[Tensor, "x y z"]) -> Mask:
        small = _resized(array, _COARSE)
        low, high = (float(small.quantile(share)) for share in _QUANTILES)
        with torch.inference_mode():
            found = self._networks[0](_scaled(small, low, high)[None, None])[0, 1] > 0.5
            box = _box(largest(found.numpy()), tuple(array.shape))
            piece = _scaled(_resized(array[box], _FINE), low, high)
            share = _resized(self._networks[1](piece[None, None])[0, 1], tuple(array[box].shape))
        mask = np.zeros(array.shape, bool)
        mask[box] = binary_fill_holes(largest((share > 0.5).numpy()))
        return mask

    @cached_property
    def _networks(self) -> tuple[torch.jit.ScriptModule, torch.jit.ScriptModule]:
        found = find_spec("deepbet")
        if found is None or found.origin is None:
            raise ConfigError(f"deepbet is needed to find the brain; {INSTALL}")
        folder = Path(found.origin).parents[1] / "data" / "models"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # its format is TorchScript
            one, other = (
                torch.jit.load(str(folder / name), map_location="cpu").eval()  # type: ignore[no-untyped-call]
                for name in ("bbox_model.pt", "model.pt")
            )
        return one, other


def largest(mask: Mask) -> Mask:
    """The largest connected part.

    Raises:
        ImageError: the mask is empty.
    """
    parts, count = label(mask, _TOUCHING)
    if not count:
        raise ImageError("no brain was found; is it a head?")
    return parts == np.bincount(parts.ravel())[1:].argmax() + 1


def _resized(array: Float[Tensor, "_ _ _"], shape: tuple[int, ...]) -> Float[Tensor, "_ _ _"]:
    return functional.interpolate(array[None, None], shape, mode="nearest-exact")[0, 0]


def _scaled(array: Float[Tensor, "x y z"], low: float, high: float) -> Float[Tensor, "x y z"]:
    """Intensities as both networks were trained on."""
    clipped = ((array - low) / max(high - low, 1e-6)).clamp(0, 1)
    return 0.226 * (clipped - clipped.mean()) / clipped.std() + 0.449


def _box(mask: Mask, shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Slices of an array of that shape around the brain in a coarse mask."""
    slices = []
    for axis, size in enumerate(shape):
        others = tuple(other for other in range(3) if other != axis)
        planes = np.flatnonzero(mask.mean(axis=others) > _LEAST_PART)
        if not planes.size:
            raise ImageError("next to no brain was found; is it a head?")
        ratio = size / mask.shape[axis]
        centre = round((planes[-1] + 1 + planes[0]) / 2 * ratio)
        length = round((planes[-1] + 1 - planes[0]) * ratio * (1 + 2 * _MARGIN))
        slices.append(slice(max(0, int(centre - length / 2)), min(size, int(centre + length / 2))))
    return tuple(slices)
