"""A picture of prepared heads to look at: three planes each, with the template's outline."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image as Picture
from PIL import ImageDraw
from scipy.ndimage import binary_erosion

from l2r.disk import writing
from l2r.formats.volumes import read_image
from pipeline.prepare.template import template_on_grid

_PLANES = ((2, 92), (1, 115), (0, 70))
"""Axis and index of each: through the thalami, and left of the middle."""
_TITLE_PIXELS = 14
_OUTLINE = (255, 60, 60)


def write_sheet(path: Path, prepared: Sequence[Path]) -> None:
    """Write the picture of some prepared images, one a row.

    Raises:
        OutputError: it cannot be written.
    """
    rows = [_row(read_image(one).array) for one in prepared]
    height, width = rows[0].shape[:2]
    sheet = Picture.new("RGB", (width, len(rows) * (height + _TITLE_PIXELS)))
    draw = ImageDraw.Draw(sheet)
    for index, (row, one) in enumerate(zip(rows, prepared, strict=True)):
        top = index * (height + _TITLE_PIXELS)
        draw.text((2, top + 1), one.name, fill="white")
        sheet.paste(Picture.fromarray(row), (0, top + _TITLE_PIXELS))
    with writing(path) as file:
        sheet.save(file, "PNG")


def _row(volume: np.ndarray) -> UInt8[np.ndarray, "height width 3"]:
    panels = []
    brain = template_on_grid() > 0
    for axis, index in _PLANES:
        grey = np.take(volume, index, axis).clip(0, 255).astype(np.uint8)
        panel = np.repeat(grey[..., None], 3, axis=2)
        inside = np.take(brain, index, axis)
        panel[inside & ~binary_erosion(inside)] = _OUTLINE
        panels.append(np.rot90(panel))
    most = max(panel.shape[0] for panel in panels)
    return np.concatenate(
        [np.pad(panel, ((0, most - panel.shape[0]), (0, 2), (0, 0))) for panel in panels], axis=1
    )
