"""Resampling of images and fields: the scorer's warp, LUMIR's warp, and sizes of fields.

There are two warps because the published LUMIR networks were trained with a biased one.

    warp          samples the image at `index + u`, as `scipy.ndimage.map_coordinates` does and as
                  the challenge scores
    warp_lumir    normalises with `S - 1` but samples as if voxels were areas (`align_corners` off),
                  so on an axis of `S` voxels it reads `(index + u) * S / (S - 1) - 0.5`: a zero
                  field moves the image by half a voxel at both ends of the axis

A network that warps inside itself must keep the warp of its training. `correct_lumir_bias` turns a
field that was made for the biased warp into one that says the same to the scorer.
"""

from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from models.spatial.constants import constants
from models.spatial.interpolation import linear_weights
from models.types import Fields

Mode: TypeAlias = Literal["bilinear", "nearest"]
"""Linear in all three directions (torch calls it so in 3-D too), or the nearest voxel."""

Padding: TypeAlias = Literal["zeros", "border"]
"""What lies beyond the image: nothing, or its border values."""

ChannelImages = Float[Tensor, "batch channel x y z"]

_MOST_GRADIENTS = 8
"""How many copies of an image's gradient may exist at a time, see `_slabs`."""


def warp(
    image: ChannelImages, field: Fields, *, mode: Mode = "bilinear", padding: Padding = "zeros"
) -> ChannelImages:
    """`warped(p) = image(p + u(p))`, the scorer's warp.

    Equal to `map_coordinates(image, index + u, order=1 or 0, mode="constant", cval=0)` wherever
    `index + u` stays within the first and the last voxel centre. Beyond them scipy gives 0 at
    once; this fades to 0 over one voxel ("bilinear") or gives 0 after half a voxel ("nearest"),
    which keeps the gradient at the border useful. Ties between two voxels may be decided otherwise.

    Args:
        image: any channels on the same grid as the field; label maps as floats.
        field: in voxels, component `c` along axis `c`.
        mode: "bilinear" for intensities, "nearest" for label maps.
        padding: "zeros" as above; "border" continues the image with its border values, as the
            composition of fields needs it.
    """
    return _sample(image, sampling_grid(field), mode, padding, align_corners=True)


def warp_lumir(image: ChannelImages, field: Fields, *, mode: Mode = "bilinear") -> ChannelImages:
    """`warped(p) = image((p + u(p)) * S / (S - 1) - 0.5)` per axis, the warp LUMIR trained with.

    Source:
        The published TransMorph baseline of LUMIR: its weights only work with this warp.
    """
    return _sample(image, sampling_grid(field), mode, "zeros", align_corners=False)


def sample(
    image: ChannelImages, coordinates: Float[Tensor, "batch 3 _ _ _"], *, padding: Padding
) -> Float[Tensor, "batch channel _ _ _"]:
    """The image at any places, trilinear.

    Args:
        image: any channels.
        coordinates: component `c` along axis `c`, 0 at the centre of the first voxel and 1 at that
            of the last; the places may be more or fewer than the image has voxels.
        padding: what lies beyond the image, as for `warp`.
    """
    parts = [2 * coordinates[:, axis] - 1 for axis in (2, 1, 0)]
    return _sample(image, torch.stack(parts, dim=-1), "bilinear", padding, align_corners=True)


def correct_lumir_bias(field: Fields) -> Fields:
    """`u'(p) = (p + u(p)) * S / (S - 1) - 0.5 - p` per axis: from `warp_lumir` to `warp`.

    `warp(image, correct_lumir_bias(u))` equals `warp_lumir(image, u)`. The change is -0.5 voxel at
    the first index, 0 at the centre and +0.5 voxel at the last index of an axis. `field` must live
    on the grid that the network saw, padding included. To report a published network faithfully do
    not correct its fields: they were submitted and scored as they came.
    """
    size = field.shape[2:]
    parts = [
        torch.add(_ramp(field, axis, -0.5, 0.5), field[:, axis], alpha=_stretch(size[axis]))
        for axis in range(3)
    ]
    return torch.stack(parts, dim=1)


def resize_field(
    field: Float[Tensor, "batch 3 _ _ _"], shape: tuple[int, int, int]
) -> Float[Tensor, "batch 3 _ _ _"]:
    """The same motion on a grid of another size over the same extent.

    Trilinear between voxels seen as areas (`align_corners` off); each component is multiplied by
    `new size / old size` of its axis, because it counts voxels of the grid that it lives on. One
    matrix product per axis: as fast as torch's `interpolate`, and its gradient is repeatable on a
    GPU too, where that of `interpolate` is not.
    """
    old = field.shape[2:]
    if old == shape:
        return field
    last, middle, first = (_interpolation(field, axis, shape[axis]) for axis in (2, 1, 0))
    rows = field.reshape(-1, old[2]) @ last.T
    planes = middle @ rows.view(-1, old[1], shape[2])
    volumes = first @ planes.view(-1, old[0], shape[1] * shape[2])
    ratios = constants(field, [new / size for new, size in zip(shape, old, strict=True)])
    return volumes.view(-1, 3, *shape) * ratios.view(1, 3, 1, 1, 1)


def _interpolation(
    field: Float[Tensor, "batch 3 _ _ _"], axis: int, size: int
) -> Float[Tensor, "new old"]:
    """The weights that `old` voxels along an axis have for each of `size` new ones."""
    old = field.shape[2 + axis]
    index = torch.arange(size, dtype=field.dtype, device=field.device)
    place = ((index + 0.5) * (old / size) - 0.5).clamp(0, old - 1)
    return linear_weights(place, old)


def upsample_field(
    field: Float[Tensor, "batch 3 _ _ _"], factor: int = 2
) -> Float[Tensor, "batch 3 _ _ _"]:
    """`resize_field` to `factor` times the size: from voxels of the coarse to the fine grid."""
    x, y, z = (factor * size for size in field.shape[2:])
    return resize_field(field, (x, y, z))


def _sample(
    image: ChannelImages,
    grid: Float[Tensor, "batch _ _ _ 3"],
    mode: Mode,
    padding: Padding,
    *,
    align_corners: bool,
) -> Float[Tensor, "batch channel _ _ _"]:
    """Image at the places of torch's `grid`; on a CPU one slab of them per core.

    On a CPU torch shares the 3-D `grid_sample` out over the batch only, so a batch of one would
    run on one core. The slabs are a batch whose images are one and the same memory.
    """
    image = image.to(grid.dtype)
    batch, x, y, z, _ = grid.shape
    if batch > 1 or image.device.type != "cpu":
        return functional.grid_sample(image, grid, mode, padding, align_corners)
    rows = grid.view(x * y, z, 3)
    if spare := -len(rows) % _threads():  # an odd number of rows would be one slab for two cores
        rows = functional.pad(rows, (0, 0, 0, 0, 0, spare))
    count = _slabs(image, len(rows))
    slabs = rows.view(count, 1, -1, z, 3)
    image = image.expand(count, -1, -1, -1, -1)
    sampled = functional.grid_sample(image, slabs, mode, padding, align_corners)
    sampled = sampled.transpose(0, 1).reshape(1, -1, len(rows), z)
    return sampled[:, :, : x * y].view(1, -1, x, y, z)


def _slabs(image: ChannelImages, rows: int) -> int:
    """The number of equal slabs of `rows` rows that keeps the cores busy.

    If the image needs a gradient then torch allots one per slab and adds them up afterwards, so a
    machine of many cores has to hold back.
    """
    most = _threads()
    if image.requires_grad:
        most = min(most, _MOST_GRADIENTS)
    return next(count for count in range(most, 0, -1) if rows % count == 0)


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _threads() -> int:
    """A call that `torch.compile` cannot look into."""
    return torch.get_num_threads()


def sampling_grid(field: Fields) -> Float[Tensor, "batch x y z 3"]:
    """`2 (index + u) / (S - 1) - 1` per axis, in torch's order: last axis first.

    In at least single precision: half precision would place a voxel 0.05 voxels wrong.
    """
    size = field.shape[2:]
    parts = [
        torch.add(_ramp(field, axis, -1.0, 1.0), field[:, axis], alpha=2 / max(size[axis] - 1, 1))
        for axis in (2, 1, 0)
    ]
    return torch.stack(parts, dim=-1)


def _ramp(field: Fields, axis: int, first: float, last: float) -> Float[Tensor, "_ _ _"]:
    """`first` to `last` along one axis, of length one along the others; one voxel is the middle."""
    size = field.shape[2 + axis]
    if size == 1:
        first = last = (first + last) / 2
    dtype = torch.promote_types(field.dtype, torch.float32)
    ramp = torch.linspace(first, last, size, dtype=dtype, device=field.device)
    return ramp.view([size if other == axis else 1 for other in range(3)])


def _stretch(size: int) -> float:
    """`S / (S - 1)`; an axis of one voxel has nothing to stretch."""
    return size / max(size - 1, 1)
