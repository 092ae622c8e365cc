"""Boxes of tokens: cut a grid into them, put it together again, and who may see whom inside.

Within a window the tokens count with x slowest and z fastest; so do the windows within a grid.
"""

from itertools import product
from typing import TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from models.networks.blocks import Dimensions

TokenGrid = Float[Tensor, "batch x y z channel"]
Windows = Float[Tensor, "window token channel"]
Extent: TypeAlias = tuple[int, int, int]

_APART = -100.0
"""Added to the attention between tokens that only the roll made neighbours, as published."""


def pad(tokens: TokenGrid, window: Extent) -> Float[Tensor, "batch _ _ _ channel"]:
    """Zeros at the end of each axis up to whole windows."""
    ends = [-size % side for size, side in zip(tokens.shape[1:4], window, strict=True)]
    return functional.pad(tokens, (0, 0, 0, ends[2], 0, ends[1], 0, ends[0]))


def split(tokens: TokenGrid, window: Extent) -> Windows:
    """Windows of a grid that is a whole number of them, sample by sample."""
    _, x, y, z, channels = tokens.shape
    i, j, k = window
    boxes = tokens.view(-1, x // i, i, y // j, j, z // k, k, channels)
    return boxes.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(-1, i * j * k, channels)


def join(windows: Windows, shape: tuple[int, ...], window: Extent) -> TokenGrid:
    """The grid of `shape`, all its axes, that `split` has cut."""
    _, x, y, z, channels = shape
    i, j, k = window
    boxes = windows.view(-1, x // i, y // j, z // k, i, j, k, channels)
    return boxes.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(shape)


def window_in(window: Extent, dimensions: Dimensions) -> Extent:
    """The window itself; in two dimensions it is one token thick."""
    return window if dimensions == 3 else (*window[:2], 1)


def shift_of(window: Extent, dimensions: Dimensions = 3) -> Extent:
    """Half a window; no shift at all if a side is too short to be halved, as published."""
    x, y, z = (side // 2 for side in window)
    return (x, y, z) if min((x, y, z)[:dimensions]) else (0, 0, 0)


def shift_mask(
    extent: Extent, window: Extent, device: torch.device, dimensions: Dimensions = 3
) -> Float[Tensor, "window token token"]:
    """0 where two tokens of a rolled window were neighbours before the roll, else `_APART`.

    Args:
        extent: tokens along the axes of the grid, padding excluded.
        window: tokens along the axes of a window.
        device: where the mask is made; it is made anew for every volume, a thousandth of the work
            of a forward pass, so nothing is kept that could go stale.
        dimensions: of the network.
    """
    regions, shift = torch.zeros((1, 1, 1), device=device), shift_of(window, dimensions)
    for axis, (size, side, step) in enumerate(zip(extent, window, shift, strict=True)):
        padded = size + -size % side
        index = torch.arange(padded, device=device)
        region = (index >= padded - side).float() + (index >= padded - step).float()
        regions = 3 * regions + region.view([-1 if other == axis else 1 for other in range(3)])
    ids = split(regions[None, ..., None], window)
    return (ids != ids.mT).float() * _APART


def relative_index(window: Extent) -> Int[Tensor, "token token"]:
    """Rows of the bias table that belong to the relative positions of all pairs of tokens.

    On the CPU even where a network is built without memory, so that weights can be compared.
    """
    with torch.device("cpu"):
        places = torch.tensor(list(product(*map(range, window))))
        offset = places[:, None] - places[None] + torch.tensor(window) - 1
        _, y, z = (2 * side - 1 for side in window)
        return (offset * torch.tensor((y * z, z, 1))).sum(-1)


def window_of(index: Tensor) -> Extent | None:
    """Read the window off a table of `relative_index`; None unless just one window has it.

    A table on `meta` has no numbers. Windows of which a side is a single token can have the same
    table.
    """
    if index.is_meta:
        return None
    count = len(index)
    sides = [side for side in range(1, count + 1) if count % side == 0]
    windows = ((x, y, count // (x * y)) for x in sides for y in sides if count % (x * y) == 0)
    found = [window for window in windows if torch.equal(relative_index(window), index)]
    return found[0] if len(found) == 1 else None
