"""Weights into safetensors, in single or half precision."""

from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from l2r.disk import writing
from l2r.errors import WeightsError
from models.types import State
from models.weights.file import read_checkpoint, type_of

_STATISTICS = ("running_mean", "running_var")


def convert(source: Path, target: Path, precision: torch.dtype) -> dict[str, Tensor]:
    """Write the state of a weights file, and nothing else that it holds, as safetensors.

    Integers stay as they are, and running statistics have single precision in any case. The same
    state makes the same file, byte for byte.

    Args:
        source: any weights file.
        target: `.safetensors`; appears, or is replaced, at once when all is ready.
        precision: of the other numbers.

    Returns:
        What was written.

    Raises:
        WeightsError: the source cannot be used, or a number is not finite in that precision.
        OutputError: the target cannot be written.
    """
    written = {
        name: _converted(value, _type(name, value, precision), f"{source}: {name}")
        for name, value in read_checkpoint(source).state.items()
    }
    with writing(target) as file:
        file.write(save(written))
    return written


def count_parameters(state: State) -> int:
    """Number of values that training can change: neither integers nor running statistics."""
    return sum(
        value.numel()
        for name, value in state.items()
        if value.is_floating_point() and not name.endswith(_STATISTICS)
    )


def _type(name: str, value: Tensor, precision: torch.dtype) -> torch.dtype:
    if not value.is_floating_point():
        return value.dtype
    # Variances of features can lie outside of what half precision holds.
    return torch.float32 if name.endswith(_STATISTICS) else precision


def _converted(value: Tensor, kind: torch.dtype, where: str) -> Tensor:
    """A copy, since safetensors refuses tensors that share memory."""
    result = value.to(kind, copy=True, memory_format=torch.contiguous_format)
    if result.isfinite().all():
        return result
    if not value.isfinite().all():
        raise WeightsError(f"{where} has numbers that are NaN or infinite; the weights are broken")
    raise WeightsError(
        f"{where} has numbers up to {value.abs().max().item():g}, but {type_of(result)} ends at "
        f"{torch.finfo(kind).max:g}; keep a higher precision"
    )
