"""A label map over its image, to look at."""

import colorsys
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image as PillowImage

from l2r.arrays import Volume
from l2r.disk import writing
from models.segmentation.structures import LEFT_TO_RIGHT, STRUCTURES

_ALPHA = 0.45
_BRIGHT = 0.6
"""Intensity that is shown white; white matter lies at about .43."""
_GOLDEN = 0.618
_SCALE = 2
"""Pixels a voxel."""


def draw_labels(path: Path, image: Volume, labels: UInt8[np.ndarray, "x y z"]) -> None:
    """Write a picture of the middle slices of the brain, with its structures in colours.

    Args:
        path: of the PNG.
        image: in [0, 1], axes run right, anterior and superior.
        labels: on the same grid.

    Raises:
        OutputError: it cannot be written.
    """
    colours = _colours()
    panels = []
    for axis in range(3):
        index = _middle(labels, axis)
        grey = np.rot90(np.take(image, index, axis)).clip(0, _BRIGHT) / _BRIGHT
        cut = np.rot90(np.take(labels, index, axis))
        alpha = _ALPHA * (cut > 0)[..., None]
        panels.append((1 - alpha) * grey[..., None] + alpha * colours[cut])
    tallest = max(panel.shape[0] for panel in panels)
    padded = [np.pad(p, ((0, tallest - p.shape[0]), (0, 0), (0, 0))) for p in panels]
    pixels = np.rint(255 * np.concatenate(padded, axis=1)).astype(np.uint8)
    picture = PillowImage.fromarray(pixels.repeat(_SCALE, axis=0).repeat(_SCALE, axis=1))
    with writing(path) as file:
        picture.save(file, format="png")


def _middle(labels: UInt8[np.ndarray, "x y z"], axis: int) -> int:
    """The slice with most of what lies deep: it shows more than that through the middle."""
    deep = np.isin(labels, [10, 49, 11, 50, 12, 51, 17, 53])
    others = tuple(other for other in range(3) if other != axis)
    counts = deep.sum(axis=others)
    return int(counts.argmax()) if counts.any() else labels.shape[axis] // 2


def _colours() -> Float32[np.ndarray, "256 3"]:
    """A colour for each label; left and right have the same."""
    table = np.zeros((256, 3), np.float32)
    left = {right: left for left, right in LEFT_TO_RIGHT.items()}
    for label in STRUCTURES:
        hue = (STRUCTURES.index(left.get(label, label)) * _GOLDEN) % 1
        table[label] = colorsys.hsv_to_rgb(hue, 0.85, 1.0)
    return table
