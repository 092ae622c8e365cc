"""A report about a weights file, in lines that can be read and pasted."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from models.networks.base import NetworkConfig
from models.types import State
from models.weights.convert import count_parameters
from models.weights.file import read_checkpoint, some, type_of
from models.weights.match import (
    CatalogMatch,
    as_toml,
    compare_with_catalog,
    in_words,
    name_of,
    settings_of,
)
from models.weights.registry import hash_of

LABEL = 12
"""Characters that the labels of facts take."""


@dataclass(frozen=True)
class Report:
    """About one weights file."""

    facts: dict[str, str]
    """A line each, by label."""
    run_file: tuple[str, ...]
    """The `[model]` part that uses it; empty if it fits no network."""

    def __str__(self) -> str:
        facts = (f"{label:{LABEL}}{fact}" for label, fact in self.facts.items())
        return "\n".join([*facts, *(["", *self.run_file] if self.run_file else [])])


def inspect_weights(path: Path, weights: Path) -> Report:
    """Look into a weights file.

    Args:
        path: of the file.
        weights: what a run file should say, the path or a name in the registry.

    Raises:
        WeightsError: it cannot be read.
    """
    held = read_checkpoint(path)
    comparisons = compare_with_catalog(held.state)
    fitting = [comparison.config for comparison in comparisons if not comparison.differences]
    facts = {
        "file": str(path),
        "size": f"{path.stat().st_size:,} bytes",
        "sha256": hash_of(path),
        "container": held.container,
        "left out": some([*held.others, *held.grids]) or "nothing",
        "tensors": _tensors(held.state),
        "parameters": f"{count_parameters(held.state):,}",
        **_fit(fitting, comparisons),
    }
    return Report(facts, _run_file(fitting[0], weights) if fitting else ())


def registry_lines(path: Path, state: State) -> list[str]:
    """The entry of a weights file, for the registry in its folder."""
    nearest, *_ = compare_with_catalog(state)
    fits = not nearest.differences
    network = {"name": name_of(nearest.config), **settings_of(nearest.config)} if fits else {}
    return [
        f"[{re.sub('[^A-Za-z0-9_-]', '-', path.stem)}]",
        f"file = {as_toml(path.name)}",
        f"sha256 = {as_toml(hash_of(path))}",
        f"network = {as_toml(network)}" + ("" if fits else "  # fits no published one: say which"),
        *(f'{key} = ""  # to be filled in' for key in ("title", "source", "licence")),
    ]


def _tensors(state: State) -> str:
    types = Counter(type_of(value) for value in state.values())
    return f"{len(state)} ({', '.join(f'{count} {kind}' for kind, count in types.items())})"


def _fit(fitting: list[NetworkConfig], comparisons: list[CatalogMatch]) -> dict[str, str]:
    """Name the networks that it fits, or the nearest one."""
    if fitting:
        return {"fits": "; ".join(map(in_words, fitting))}
    nearest = comparisons[0]
    like = f"{in_words(nearest.config)}: {nearest.differences}" if nearest.common else "no network"
    return {"fits": "nothing in the catalogue", "resembles": like}


def _run_file(config: NetworkConfig, weights: Path) -> tuple[str, ...]:
    settings = {"name": name_of(config), **settings_of(config), "weights": str(weights)}
    return ("[model]", *(f"{key} = {as_toml(value)}" for key, value in settings.items()))
