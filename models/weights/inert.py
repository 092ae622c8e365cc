"""Placeholders for values that checkpoints hold besides tensors.

Scripts save numpy scalars, paths or their options next to the weights. torch's safe unpickler
refuses these classes. Nothing of them is needed, so each is read as a placeholder that ignores its
content: no code of numpy or of another library runs.
"""

from contextlib import AbstractContextManager

import torch

_NUMPY = ("scalar", "_reconstruct")
_NAMES = (
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in _NUMPY),
    "numpy.dtype",
    "numpy.ndarray",
    *(f"numpy.dtypes.{kind}DType" for kind in ("Bool", "Int32", "Int64", "Float32", "Float64")),
    "argparse.Namespace",
    *(f"pathlib.{kind}Path" for kind in ("Posix", "Windows", "PurePosix", "PureWindows")),
    *(f"pathlib._local.{kind}Path" for kind in ("Posix", "Windows")),
    "datetime.datetime",
    "datetime.timedelta",
    "datetime.date",
    *(f"{builtins}.set" for builtins in ("builtins", "__builtin__")),
    "types.SimpleNamespace",
)
"""Classes and functions that are read as placeholders, as a pickle names them."""


class Placeholder:
    """A value of which nothing is kept."""

    def __new__(cls, *_: object) -> "Placeholder":
        return super().__new__(cls)

    def __init__(self, *_: object) -> None:
        """Ignore the content."""

    def __setstate__(self, _: object) -> None:
        """Ignore the content."""


def placeholders() -> AbstractContextManager[None]:
    """Read the harmless classes as placeholders inside a `with` block."""
    return torch.serialization.safe_globals([(Placeholder, name) for name in _NAMES])
