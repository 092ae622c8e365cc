"""Label maps made ready for counting.

A structure is known by its label, and a protocol may list any labels in any order. An index map
holds positions in that list instead: 0 for "none of them", `k` for the `k`-th. Those of up to 255
structures fit into a byte, `numpy.bincount` can count them, and the background is like any other
structure where a protocol lists it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int, Integer, UInt

from eval.warp import LabelArray
from l2r.arrays import Box, triple

IndexMap = UInt[np.ndarray, "x y z"]
Slices = tuple[slice, slice, slice]


@dataclass(frozen=True)
class LabelMaps:
    """The label maps of a pair."""

    fixed: Integer[np.ndarray, "x y z"]
    moving: LabelArray
    """On the moving grid, of whatever shape."""
    warped: Integer[np.ndarray, "x y z"]
    """The moving map after registration, on the fixed grid."""


@dataclass(frozen=True)
class Structures:
    """The structures of a pair, all on the fixed grid."""

    labels: tuple[int, ...]
    """Label of each structure, in the protocol's order."""
    fixed: IndexMap
    warped: IndexMap
    """The moving map after registration."""
    unregistered: IndexMap
    """The moving map on the fixed grid, not moved."""
    defined: Bool[np.ndarray, " structures"]
    """True for structures of both maps, before warping; most scorers leave the others out."""

    @cached_property
    def joint_warped(self) -> Int[np.ndarray, "rows columns"]:
        """Numbers of voxels by structure of the fixed and of the warped map, see `joint_sizes`."""
        return joint_sizes(self.fixed, self.warped, len(self.labels))

    @cached_property
    def joint_unregistered(self) -> Int[np.ndarray, "rows columns"]:
        """Numbers of voxels by structure of the fixed and of the unregistered map."""
        return joint_sizes(self.fixed, self.unregistered, len(self.labels))


def find_structures(maps: LabelMaps, labels: tuple[int, ...] | None) -> Structures:
    """Index the label maps of a pair by structure.

    Args:
        maps: of the pair.
        labels: of the structures to compare; all of the fixed map but the background for None.
    """
    if labels is None:
        flat = maps.fixed.ravel(order="K")
        labels = tuple(np.unique(flat[flat != 0]).tolist())
    fixed, moving = index_map(maps.fixed, labels), index_map(maps.moving, labels)
    unregistered = moving
    if moving.shape != fixed.shape:  # beyond the moving map lies background
        cut = Box((0, 0, 0), triple(fixed.shape)).cut(maps.moving)
        unregistered = index_map(cut, labels)
    return Structures(
        labels=labels,
        fixed=fixed,
        warped=index_map(maps.warped, labels),
        unregistered=unregistered,
        defined=(sizes(fixed, len(labels)) > 0) & (sizes(moving, len(labels)) > 0),
    )


def index_map(
    voxels: LabelArray, labels: tuple[int, ...], *, widest_table: int = 2**20
) -> UInt[np.ndarray, "_ _ _"]:
    """Positions in `labels`, counted from 1; 0 where a voxel has none of them.

    Args:
        voxels: a label map of any integer type.
        labels: of the structures, in any order.
        widest_table: most entries of a look-up table; labels that span more are searched instead.

    Example:
        >>> index_map(np.array([[[0, 7, 3, 9]]]), (7, 0, 9)).ravel()
        array([2, 1, 0, 3], dtype=uint8)
    """
    kind, limits = np.min_scalar_type(len(labels)), np.iinfo(voxels.dtype)
    # A label that the map's type cannot represent is nowhere in it.
    positions = {
        label: position
        for position, label in enumerate(labels, start=1)
        if limits.min <= label <= limits.max
    }
    if not positions:
        return np.zeros(voxels.shape, kind)
    # As indices of a table, values from 2^63 on would be negative.
    if voxels.dtype != np.uint64 and max(*positions, 0) - min(*positions, 0) < widest_table:
        return _looked_up(voxels, positions, kind)
    return _searched(voxels, positions, kind)


def _looked_up(
    voxels: LabelArray, positions: dict[int, int], kind: np.dtype
) -> UInt[np.ndarray, "_ _ _"]:
    """Index by a table with an entry for every number from the lowest to the highest label."""
    # Everything beyond the labels is none of them, and finds the first or the last entry.
    low, high = min(*positions, 0) - 1, max(*positions, 0) + 1
    table = np.zeros(high - low + 1, kind)
    table[np.array(list(positions)) - low] = list(positions.values())
    if voxels.min() >= 0:  # saves a copy in 64 bits
        table, low = table[-low:], 0
    shifted = voxels if low == 0 else voxels.astype(np.int64) - low
    return _plane_by_plane(shifted, kind, lambda plane: table.take(plane, mode="clip"))


def _searched(
    voxels: LabelArray, positions: dict[int, int], kind: np.dtype
) -> UInt[np.ndarray, "_ _ _"]:
    """Index by bisection, whose memory and time do not depend on how large the labels are."""
    known = np.array(sorted(positions), voxels.dtype)
    found = np.array([positions[label] for label in sorted(positions)], kind)

    def index(plane: Integer[np.ndarray, "_ _"]) -> UInt[np.ndarray, "_ _"]:
        nearest = np.searchsorted(known, plane).clip(max=len(known) - 1)
        return np.where(known[nearest] == plane, found[nearest], kind.type(0))

    return _plane_by_plane(voxels, kind, index)


def _plane_by_plane(
    voxels: LabelArray,
    kind: np.dtype,
    index: Callable[[Integer[np.ndarray, "_ _"]], UInt[np.ndarray, "_ _"]],
) -> UInt[np.ndarray, "_ _ _"]:
    """Index a map in its own memory layout, with temporary arrays of a plane's size."""
    turned = voxels.T if voxels.flags.f_contiguous else voxels
    found = np.empty(turned.shape, kind)
    for target, plane in zip(found, turned, strict=True):
        target[...] = index(plane)
    return found.T if voxels.flags.f_contiguous else found


def sizes(indexed: UInt[np.ndarray, "*_"], count: int) -> Int[np.ndarray, " structures"]:
    """Voxels of each of `count` structures."""
    return _counts(indexed, count + 1)[1:]


def joint_sizes(a: IndexMap, b: IndexMap, count: int) -> Int[np.ndarray, "rows columns"]:
    """Numbers of voxels by index in `a` (row) and in `b` (column), both from 0 to `count`.

    A single pass gives all that any measure of overlap needs.

    Example:
        >>> a, b = np.zeros((2, 1, 1, 3), np.uint8); a[..., 1:] = 1; b[..., 2] = 1
        >>> joint_sizes(a, b, 1)
        array([[1, 0],
               [1, 1]])
    """
    side = count + 1
    both = a.astype(np.min_scalar_type(side * side)) * side + b
    return _counts(both, side * side).reshape(side, side)


def _counts(
    values: UInt[np.ndarray, "*_"], count: int, at_once: int = 2**16
) -> Int[np.ndarray, " values"]:
    """Number of times that each value occurs."""
    flat = values.ravel(order="K")
    total = np.zeros(count, np.int64)
    # Piece by piece, because numpy copies what it counts in 64 bits.
    for start in range(0, flat.size, at_once):
        total += np.bincount(flat[start : start + at_once], minlength=count)
    return total
