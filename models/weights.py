"""Weights from files: published checkpoints and safetensors, without running what they hold."""

import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from l2r.errors import WeightsError

_SAFETENSORS = ".safetensors"
_CHECKPOINTS = (".pth.tar", ".pth", ".pt", ".trch")
_SHOWN = 3
"""How many names an error gives of each kind."""


def load_weights(model: nn.Module, path: Path) -> None:
    """Give the model the weights of a file; all of them must fit.

    A checkpoint is the state of a network or a dictionary with one under `state_dict`. `module.`
    before names and entries that end in `.grid` (grids of indices, which older networks keep) are
    dropped.

    Args:
        model: changed only if everything fits.
        path: `.safetensors`, or `.pth.tar`, `.pth`, `.pt` or `.trch` of `torch.save`, of which
            only tensors and plain containers are read: a pickle cannot run anything.

    Raises:
        WeightsError: there is no such file, it cannot be read safely, or it does not fit.
    """
    state = {
        name.removeprefix("module."): value
        for name, value in _state(_read(path), path).items()
        if not name.endswith(".grid")
    }
    if differences := _differences(model.state_dict(), state):
        raise WeightsError(
            f"{path}: does not fit {type(model).__name__}: {'; '.join(differences)}; "
            "give the weights of this network or its sizes in the model's configuration"
        )
    model.load_state_dict(state)


def _read(path: Path) -> object:
    """What the file holds, on the CPU."""
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights file")
    if not path.name.endswith((_SAFETENSORS, *_CHECKPOINTS)):
        known = ", ".join((_SAFETENSORS, *_CHECKPOINTS))
        raise WeightsError(f"{path}: not the name of a weights file, which end in {known}")
    try:
        if path.name.endswith(_SAFETENSORS):
            return load_file(path)
        with warnings.catch_warnings(action="ignore"):  # of pickles that fail a moment later
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as cause:  # a damaged pickle can raise anything
        raise WeightsError(f"{path}: {_reason(cause)}") from cause


def _reason(cause: Exception) -> str:
    """Why a file could not be read; torch's own advice is to switch its protection off."""
    if isinstance(cause, OSError) and cause.strerror:
        return f"cannot be read: {cause.strerror}"
    if wanted := re.search(r"GLOBAL (\S+)", str(cause)):
        return (
            f"refused: it asks for {wanted[1]!r}, but only tensors and plain values are read; "
            "save the state_dict alone"
        )
    return "damaged, cut off or not a weights file"


def _state(content: object, path: Path) -> dict[str, Tensor]:
    """The state of the network out of its container."""
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path}: holds no state_dict but a {type(content).__name__}")
    strange = [str(name) for name, value in content.items() if not isinstance(value, Tensor)]
    if strange:
        raise WeightsError(f"{path}: holds more than tensors: {_some(strange)}")
    return {str(name): value for name, value in content.items()}


def _differences(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    """One phrase for each way in which two states differ, none if they fit."""
    shapes = [
        f"{name} {tuple(found[name].shape)} for {tuple(wanted[name].shape)}"
        for name in wanted
        if name in found and found[name].shape != wanted[name].shape
    ]
    kinds = {
        "missing": [name for name in wanted if name not in found],
        "unexpected": [name for name in found if name not in wanted],
        "of another shape": shapes,
    }
    return [f"{len(names)} {kind} ({_some(names)})" for kind, names in kinds.items() if names]


def _some(names: Iterable[str]) -> str:
    """The first few names."""
    names = list(names)
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
