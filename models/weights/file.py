"""Weights files, read without running anything that they hold."""

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
from models.weights.inert import placeholders
from models.weights.registry import existing

_STATES = (
    *("state_dict", "model_state_dict", "model_state", "model", "net", "network"),
    *("network_weights", "params", "weights", "generator", "regmodel"),
    *("module", "state", "ema", "model_ema", "ema_state_dict", "params_ema", "shadow"),
)
"""Keys under which containers keep the state, the first of them first; weights before averages."""
_PREFIXES = (
    *("module.", "_orig_mod.", "model.", "net.", "network.", "regmodel.", "generator."),
    *("_forward_module.", "_fsdp_wrapped_module."),
)
"""Beginnings that wrappers give to all names: several GPUs, torch.compile, Lightning, a class."""
_AVERAGED = "n_averaged"
"""Counter that torch's `AveragedModel` keeps with the weights."""
_SHOWN = 3
"""Names that a message gives of each kind."""


@dataclass(frozen=True)
class Checkpoint:
    """Content of a weights file."""

    state: dict[str, Tensor]
    """On the CPU, without grids and without what wrappers put before all names."""
    container: str
    """`safetensors`, `bare state`, or the keys under which the state was found."""
    others: tuple[str, ...]
    """Other keys of the container, for instance `optimizer`; they are not used."""
    grids: tuple[str, ...]
    """Names that end in `.grid`: grids of indices, which older networks keep with their weights."""


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a weights file.

    Args:
        path: safetensors, or a file of `torch.save`, of which only tensors and plain values are
            read: a pickle cannot run anything.

    Raises:
        WeightsError: there is no such file, it cannot be read safely, or it holds no state.
    """
    is_safetensors, content = _read(existing(path))
    container, others, content = _unpacked(content, path)
    everything = _tensors(content, path)
    grids = tuple(name for name in everything if name.endswith(".grid"))
    dropped = {*grids, _AVERAGED}
    state = _unwrapped({name: v for name, v in everything.items() if name not in dropped})
    return Checkpoint(state, "safetensors" if is_safetensors else container, others, grids)


def some(names: Iterable[str]) -> str:
    """The first few names, on one line whatever they are made of."""
    names = list(names)
    shown = [name if name.isprintable() else repr(name) for name in names[:_SHOWN]]
    return ", ".join(shown) + (", ..." if len(names) > _SHOWN else "")


def type_of(tensor: Tensor) -> str:
    """For instance `float32`."""
    return str(tensor.dtype).removeprefix("torch.")


def _read(path: Path) -> tuple[bool, object]:
    """Read the file on the CPU; whether it is of safetensors, and its content."""
    try:
        with path.open("rb") as file:
            start = file.read(_START)
        if start[8:9] == b"{":  # after the length of its header; whatever the file is called
            return True, load_file(path)
        # Warnings come of pickles that fail a moment later. A path would be read by its ending.
        with warnings.catch_warnings(action="ignore"), placeholders(), path.open("rb") as file:
            return False, torch.load(file, map_location="cpu", weights_only=True)
    except Exception as cause:  # a damaged pickle can raise anything
        raise WeightsError(f"{path}: {_reason(cause, path)}") from cause


_START = 200
"""Bytes that tell what a file is."""


def _reason(cause: Exception, path: Path) -> str:
    """Reason why a file could not be read; torch's own advice is to switch its protection off."""
    cut_off = isinstance(cause, OSError) and cause.errno == errno.EINVAL  # sought beyond the end
    if isinstance(cause, OSError) and cause.strerror and not cut_off:
        return f"cannot be read: {cause.strerror}"
    if wanted := re.search(r"GLOBAL (\S+)", str(cause)):
        return (
            f"refused: it asks for {wanted[1]!r}, but only tensors and plain values are read; "
            "where it was made, save the weights alone: torch.save(model.state_dict(), path)"
        )
    if "TorchScript" in str(cause):
        return (
            "refused: a TorchScript program; save its weights alone: "
            "torch.save(torch.jit.load(path).state_dict(), path)"
        )
    if re.search(r"Unsupported operand 149\b", str(cause)):  # begins a frame of protocol 4
        return (
            "not a weights file that can be read safely, pickled by protocol 4 or later; where it "
            "was made, save it by the default: torch.save(model.state_dict(), path)"
        )
    return f"damaged, cut off or not a weights file{_likely(path)}"


def _likely(path: Path) -> str:
    """Recognise what is often downloaded instead of weights, and name a way out."""
    with path.open("rb") as file:
        start = file.read(_START).lstrip().lower()
    if start.startswith((b"<!doctype", b"<html")):
        return "; it is a web page: download the file itself"
    if start.startswith(b"version https://git-lfs"):
        return "; it is a pointer of git-lfs: fetch the file with git lfs pull"
    return ""


def _unpacked(content: object, path: Path) -> tuple[str, tuple[str, ...], object]:
    """Find the state in a container: the keys that lead to it, the other keys, and the state."""
    if not isinstance(content, Mapping) or _is_state(content):
        return "bare state", (), content
    for key in (key for key in _STATES if isinstance(content.get(key), Mapping)):
        others = tuple(str(other) for other in content if other != key)
        if content[key].keys() & set(_STATES) and not _is_state(content[key]):
            inner, more, state = _unpacked(content[key], path)
            return f"{key}.{inner}", others + more, state
        return key, others, content[key]
    if states := [str(key) for key, value in content.items() if _is_state(value)]:
        raise WeightsError(
            f"{path}: holds tensors under {some(states)}, not under a usual key such as "
            f"{_STATES[0]!r}; save the one that is meant: torch.save(content[key], path)"
        )
    return "bare state", (), content


def _is_state(content: object) -> bool:
    """Recognise a mapping of names to tensors, one or more."""
    if not isinstance(content, Mapping) or not content:
        return False
    return all(isinstance(v, Tensor) and isinstance(name, str) for name, v in content.items())


def _unwrapped(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Remove what wrappers have put before all names, one after the other."""
    while prefix := next(
        (p for p in _PREFIXES if state and all(n.startswith(p) for n in state)), ""
    ):
        state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def _tensors(content: object, path: Path) -> dict[str, Tensor]:
    """Check that a state holds nothing but plain tensors."""
    if not isinstance(content, Mapping):
        raise WeightsError(
            f"{path}: holds no state_dict but a {type(content).__name__}; save the weights alone: "
            "torch.save(model.state_dict(), path)"
        )
    if strange := [str(name) for name, value in content.items() if not isinstance(value, Tensor)]:
        raise WeightsError(
            f"{path}: holds more than tensors: {some(strange)}; save the weights alone: "
            "torch.save(model.state_dict(), path)"
        )
    if odd := [str(name) for name, value in content.items() if not _is_plain(value)]:
        raise WeightsError(f"{path}: holds tensors that are no plain arrays: {some(odd)}")
    return {str(name): value for name, value in content.items()}


def _is_plain(tensor: Tensor) -> bool:
    """Recognise an array with a number in memory for each of its places."""
    if tensor.layout is not torch.strided or tensor.device.type != "cpu":
        return False
    if tensor.is_quantized or tensor.is_nested:
        return False
    return tensor.untyped_storage().nbytes() >= tensor.nbytes  # a few bytes can claim terabytes
