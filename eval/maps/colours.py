"""Colours of maps: perceptually even, safe for colour-blind readers, the same in all pictures."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

ColourTable = UInt8[np.ndarray, "256 3"]
RgbPicture = UInt8[np.ndarray, "rows columns 3"]


def _table(*anchors: str) -> ColourTable:
    """Colours between some that are given as `rrggbb`, at even distances."""
    known = np.array([list(bytes.fromhex(anchor)) for anchor in anchors])
    places = np.linspace(0, len(known) - 1, 256)
    parts = [np.interp(places, range(len(known)), known[:, part]) for part in range(3)]
    return np.rint(np.stack(parts, axis=1)).astype(np.uint8)


GREY = _table("000000", "ffffff")
DIVERGING = _table("053061", "2166ac", "92c5de", "f7f7f7", "f4a582", "b2182b", "67001f")
"""Blue to red through white, ColorBrewer's RdBu: told apart with any kind of colour vision."""
FOLD = (0, 158, 115)
"""Marks folds on `DIVERGING`: the green of Okabe and Ito."""
LINE = (230, 159, 0)
"""Draws lines on grey: the orange of Okabe and Ito."""
OUTLINES = ((255, 255, 255), (230, 159, 0), (86, 180, 233))
"""Outlines of fixed, moving and warped structures: white, orange, sky blue of Okabe and Ito."""


@dataclass(frozen=True)
class ColourMap:
    """Numbers to colours, linear between two ends."""

    table: ColourTable
    low: float
    high: float

    def indices(
        self, values: Float[np.ndarray, "rows columns"]
    ) -> UInt8[np.ndarray, "rows columns"]:
        """Entries of the table; what is not a number gets the lowest."""
        part = (values - self.low) / (self.high - self.low)
        return np.rint(255 * np.nan_to_num(part).clip(0, 1)).astype(np.uint8)

    def __call__(self, values: Float[np.ndarray, "rows columns"]) -> RgbPicture:
        return self.table[self.indices(values)]


def mark(
    picture: RgbPicture, where: Bool[np.ndarray, "rows columns"], colour: tuple[int, int, int]
) -> RgbPicture:
    """The picture with some pixels in one colour."""
    marked = picture.copy()
    marked[where] = colour
    return marked


def edges(
    labels: Float[np.ndarray, "rows columns"] | UInt8[np.ndarray, "rows columns"],
) -> Bool[np.ndarray, "rows columns"]:
    """Pixels of a structure that touch another one, or what is none."""
    found = np.zeros(labels.shape, bool)
    for axis in range(2):
        differ = np.diff(labels.astype(np.int64), axis=axis) != 0
        before, after = [(0, 0), (0, 0)], [(0, 0), (0, 0)]
        before[axis], after[axis] = (0, 1), (1, 0)
        found |= np.pad(differ, before) | np.pad(differ, after)
    return found & (labels != 0)
