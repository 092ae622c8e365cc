"""Arrays out of a pickle, as TransMorph's data sets have them, without running what it says.

A pickle is a program. This reader lets it build arrays and call nothing else, so a file of a
stranger can fail, but it cannot do anything.
"""

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import Shaped

from l2r.errors import ImageError


def _latin1(text: str, encoding: str = "latin1") -> bytes:
    """Encode as pickles of old protocols ask for the bytes of an array."""
    if encoding not in {"latin1", "latin-1"}:
        raise pickle.UnpicklingError(f"the encoding {encoding!r} is not one of arrays")
    return text.encode("latin1")


def _allowed() -> dict[tuple[str, str], Callable[..., object]]:
    """Names that arrays of numpy 1 and 2 are pickled by, and what they stand for here."""
    # Asked of numpy itself, as the functions moved from numpy.core to numpy._core in version 2.
    rebuild = cast("Any", np.zeros(1).__reduce__()[0])
    from_buffer = cast("Any", np.zeros(1).__reduce_ex__(5)[0])
    allowed: dict[tuple[str, str], Callable[..., object]] = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("_codecs", "encode"): _latin1,
    }
    for package in ("numpy.core", "numpy._core"):
        allowed[f"{package}.multiarray", "_reconstruct"] = rebuild
        allowed[f"{package}.numeric", "_frombuffer"] = from_buffer
    return allowed


class _Reader(pickle.Unpickler):
    _ALLOWED = _allowed()

    def find_class(self, module_name: str, global_name: str, /) -> object:
        found = self._ALLOWED.get((module_name, global_name))
        if found is None:
            raise pickle.UnpicklingError(f"it would call {module_name}.{global_name}")
        return found


def read_arrays(path: Path, count: int) -> list[Shaped[np.ndarray, "..."]]:
    """Read a pickle of some arrays.

    Args:
        path: the file.
        count: how many arrays are expected, as a tuple or a list.

    Raises:
        ImageError: missing, damaged, something else than so many arrays of numbers, or a file that
            would run code.
    """
    try:
        found = _Reader(io.BytesIO(path.read_bytes())).load()
    except OSError as cause:
        raise ImageError(f"{path}: cannot be read: {cause.strerror or cause}") from None
    except Exception as cause:  # noqa: BLE001 - a damaged pickle can raise anything
        raise ImageError(
            f"{path}: no pickle of arrays alone: {cause}; files that run code are refused"
        ) from None
    numbers = isinstance(found, tuple | list) and all(
        isinstance(array, np.ndarray) and array.dtype.kind in "iufb" for array in found
    )
    if not numbers or len(found) != count:
        raise ImageError(f"{path}: {count} arrays of numbers are expected, it holds something else")
    return list(found)
