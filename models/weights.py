"""Weights into networks: all of them must fit, and a message says how they do not."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from l2r.errors import WeightsError
from models.checkpoint import State, read_checkpoint, some, type_of


def load_weights(model: nn.Module, path: Path) -> None:
    """Give the model the weights of a file; all of them must fit.

    Half precision becomes the model's precision. What a file may be, and what of it counts, says
    `models.checkpoint`.

    Args:
        model: changed only if everything fits.
        path: of the file.

    Raises:
        WeightsError: there is no such file, it cannot be read safely, or it does not fit; where
            it fits another network of the catalogue, the message says which.
    """
    state = read_checkpoint(path).state
    if differences := Differences.between(model.state_dict(), state):
        raise WeightsError(
            f"{path}: does not fit {type(model).__name__}: {differences}; {_advice(state)}"
        )
    model.load_state_dict(state)


def _advice(state: State) -> str:
    # Here, because the networks of the catalogue import this module.
    from models.fitting import compare_with_catalog, in_words  # noqa: PLC0415

    nearest = compare_with_catalog(state)[0]
    if not nearest.differences:
        return f"it fits model {in_words(nearest.config)}"
    return "give the weights of this network or its sizes in the model's configuration"


@dataclass(frozen=True)
class Differences:
    """How a state departs from the one that a network needs; false if it fits."""

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
        """How `found`, of a file, departs from `wanted`, of a network."""
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
    """Whether two tables of integers differ; counts are no tables, and on `meta` is no table."""
    if here.is_floating_point() or here.ndim == 0 or here.is_meta or there.is_meta:
        return False
    return here.shape == there.shape and not torch.equal(here.cpu(), there)
