"""Differences between the state that a network needs and the state of a file."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from models.types import State
from models.weights.file import some, type_of


@dataclass(frozen=True)
class Differences:
    """Departures of a state from the one that a network needs; false if it fits."""

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[str, ...]
    """Of another shape; each name with both shapes."""
    retyped: tuple[str, ...]
    """Of another type; floating-point numbers may have any precision."""
    altered: tuple[str, ...]
    """Tables of integers with other values: they say for which windows weights were trained."""

    @classmethod
    def between(cls, wanted: State, found: State) -> "Differences":
        """Compare `found`, of a file, with `wanted`, of a network."""
        both = [(name, wanted[name], found[name]) for name in wanted if name in found]
        return cls(
            missing=tuple(name for name in wanted if name not in found),
            unexpected=tuple(name for name in found if name not in wanted),
            reshaped=tuple(
                f"{name} {tuple(there.shape)} for {tuple(here.shape)}"
                for name, here, there in both
                if here.shape != there.shape
            ),
            retyped=tuple(
                f"{name} {type_of(there)} for {type_of(here)}"
                for name, here, there in both
                if here.dtype != there.dtype
                and not (here.is_floating_point() and there.is_floating_point())
            ),
            altered=tuple(name for name, here, there in both if _is_altered(here, there)),
        )

    def __len__(self) -> int:
        return sum(map(len, self._kinds().values()))

    def __str__(self) -> str:
        kinds = self._kinds().items()
        return "; ".join(f"{len(names)} {kind} ({some(names)})" for kind, names in kinds if names)

    def _kinds(self) -> Mapping[str, tuple[str, ...]]:
        return {
            "missing": self.missing,
            "unexpected": self.unexpected,
            "of another shape": self.reshaped,
            "of another type": self.retyped,
            "of other values": self.altered,
        }


def _is_altered(here: Tensor, there: Tensor) -> bool:
    """Compare two tables of integers; counts are no tables, and on `meta` is no table."""
    if here.is_floating_point() or here.ndim == 0 or here.is_meta or there.is_meta:
        return False
    return here.shape == there.shape and not torch.equal(here.cpu(), there)
