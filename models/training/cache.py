"""Volumes decoded once, kept in as few bytes as they need, and mapped into memory.

Inflating a brain of LUMIR takes longer than all its other preparation. A cached volume is a `.npy`
file of bytes where the values are bytes, of half precision where that keeps their contrast, and of
single precision otherwise; label maps keep every number.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from l2r.disk import make_folder, writing
from l2r.errors import ImageError
from l2r.formats.volumes import read_image, read_labels

CachedArray = Shaped[np.ndarray, "_ _ _"]

_LARGEST_BYTE = 255
_HALF = np.finfo(np.float16)
_MOST_LOST = 1e-3
"""Of the contrast; three decimals, as half precision has them."""


class Cache:
    """A folder of decoded volumes; several processes may share it."""

    def __init__(self, folder: Path) -> None:
        """Make the folder if it is missing.

        Raises:
            OutputError: it cannot be made.
        """
        make_folder(folder)
        self._folder = folder

    def image(self, path: Path) -> CachedArray:
        """The intensities of an image as they are stored, mapped into memory.

        Raises:
            ImageError: it cannot be used.
            OutputError: the cache cannot be written to.
        """
        return self.made(name_of("image", path), lambda: _compact(read_image(path).array))

    def labels(self, path: Path) -> CachedArray:
        """A label map, mapped into memory.

        Raises:
            ImageError: it cannot be used.
            OutputError: the cache cannot be written to.
        """
        return self.made(name_of("labels", path), lambda: _fewest_bytes(read_labels(path)))

    def made(self, name: str, make: Callable[[], CachedArray]) -> CachedArray:
        """The volume of that name, mapped into memory; made if it is not there yet.

        Raises:
            ImageError: what is there is damaged.
            OutputError: the cache cannot be written to.
        """
        kept = self._folder / f"{name}.npy"
        if not kept.is_file():
            array = make()
            with writing(kept) as file:
                np.save(file, array)
        try:
            return np.load(kept, mmap_mode="r")
        except (ValueError, OSError) as cause:
            raise ImageError(f"{kept}: damaged: {cause}; delete it") from None


def name_of(kind: str, path: Path) -> str:
    """Hash path, size and time of a file: a changed one is another one."""
    try:
        state = path.stat()
    except OSError as cause:
        raise ImageError(f"{path}: cannot be read: {cause.strerror or cause}") from None
    text = f"{path.resolve()}\0{state.st_size}\0{state.st_mtime_ns}"
    return f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def _compact(array: CachedArray) -> CachedArray:
    """Bytes if that loses nothing, half precision if it loses next to nothing, else as they are."""
    as_bytes = array.astype(np.uint8) if 0 <= array.min() <= array.max() <= _LARGEST_BYTE else None
    if as_bytes is not None and np.array_equal(as_bytes, array):
        return as_bytes
    if np.abs(array).max() > _HALF.max:
        return array
    # Very small values, or small differences of large ones, would lose their contrast.
    low, high, whole = np.quantile(array, [0.01, 0.99, 1])
    spread = high - low or whole - low
    half = array.astype(np.float16)
    lost = np.quantile(np.abs(half.astype(np.float32) - array), 0.99)
    return half if lost <= _MOST_LOST * spread else array


def _fewest_bytes(labels: CachedArray) -> CachedArray:
    ends = (np.min_scalar_type(end) for end in (labels.min(), labels.max()))
    return labels.astype(np.result_type(*ends))
