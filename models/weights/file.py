"""Weights files, read without running what they hold."""

import errno
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from l2r.errors import WeightsError
from models.weights.registry import SAFETENSORS, existing

_STATES = ("state_dict", "model_state_dict", "model_state")
"""Where containers keep the state: the TransMorphs', that of torch's tutorial, VoxelMorph's."""
_SHOWN = 3
"""How many names a message gives of each kind."""


@dataclass(frozen=True)
class Checkpoint:
    """What a weights file holds."""

    state: dict[str, Tensor]
    """On the CPU, without `module.` before the names and without grids."""
    container: str
    """`safetensors`, `bare state`, or the key under which the state was found."""
    others: tuple[str, ...]
    """What else the container has, for instance `optimizer`; it is not used."""
    grids: tuple[str, ...]
    """Names that end in `.grid`: grids of indices, which older networks keep with their weights."""


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a weights file.

    Args:
        path: `.safetensors`, or `.pth.tar`, `.pth`, `.pt` or `.trch` of `torch.save`, of which
            only tensors and plain containers are read: a pickle cannot run anything.

    Raises:
        WeightsError: there is no such file, it cannot be read safely, or it holds no state.
    """
    container, others, content = _unpacked(_read(existing(path)))
    if path.name.endswith(SAFETENSORS):
        container = "safetensors"
    everything = _tensors(content, path)
    grids = tuple(name for name in everything if name.endswith(".grid"))
    kept = {name: value for name, value in everything.items() if name not in grids}
    state = {name.removeprefix("module."): value for name, value in kept.items()}
    if len(state) < len(kept):
        raise WeightsError(f"{path}: holds some names twice, with and without 'module.' before")
    return Checkpoint(state, container, others, grids)


def some(names: Iterable[str]) -> str:
    """The first few names, on one line whatever they are made of."""
    names = list(names)
    shown = [name if name.isprintable() else repr(name) for name in names[:_SHOWN]]
    return ", ".join(shown) + (", ..." if len(names) > _SHOWN else "")


def type_of(tensor: Tensor) -> str:
    """For instance `float32`."""
    return str(tensor.dtype).removeprefix("torch.")


def _read(path: Path) -> object:
    """What the file holds, on the CPU."""
    try:
        if path.name.endswith(SAFETENSORS):
            return load_file(path)
        with warnings.catch_warnings(action="ignore"):  # of pickles that fail a moment later
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as cause:  # a damaged pickle can raise anything
        raise WeightsError(f"{path}: {_reason(cause)}") from cause


def _reason(cause: Exception) -> str:
    """Why a file could not be read; torch's own advice is to switch its protection off."""
    cut_off = isinstance(cause, OSError) and cause.errno == errno.EINVAL  # sought beyond the end
    if isinstance(cause, OSError) and cause.strerror and not cut_off:
        return f"cannot be read: {cause.strerror}"
    if wanted := re.search(r"GLOBAL (\S+)", str(cause)):
        return (
            f"refused: it asks for {wanted[1]!r}, but only tensors and plain values are read; "
            "save the state_dict alone"
        )
    return "damaged, cut off or not a weights file"


def _unpacked(content: object) -> tuple[str, tuple[str, ...], object]:
    """Where the state was, what else was there, and the state."""
    if isinstance(content, Mapping):
        for key in _STATES:
            if isinstance(content.get(key), Mapping):
                return key, tuple(str(other) for other in content if other != key), content[key]
    return "bare state", (), content


def _tensors(content: object, path: Path) -> dict[str, Tensor]:
    """The state by name, if there is nothing else."""
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path}: holds no state_dict but a {type(content).__name__}")
    if strange := [str(name) for name, value in content.items() if not isinstance(value, Tensor)]:
        raise WeightsError(f"{path}: holds more than tensors: {some(strange)}")
    if odd := [str(name) for name, value in content.items() if not _is_plain(value)]:
        raise WeightsError(f"{path}: holds tensors that are no plain arrays: {some(odd)}")
    return {str(name): value for name, value in content.items()}


def _is_plain(tensor: Tensor) -> bool:
    """Whether it is an array with a number in memory for each of its places."""
    if tensor.layout is not torch.strided or tensor.device.type != "cpu":
        return False
    if tensor.is_quantized or tensor.is_nested:
        return False
    return tensor.untyped_storage().nbytes() >= tensor.nbytes  # a few bytes can claim terabytes
