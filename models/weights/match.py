"""Comparison of weights with every network of the catalogue."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import get_args

import torch

from models.networks.base import NetworkConfig
from models.networks.catalog import ModelConfig
from models.types import State
from models.weights.differences import Differences


@dataclass(frozen=True)
class CatalogMatch:
    """Comparison of weights with one network of the catalogue."""

    config: NetworkConfig
    differences: Differences
    common: int
    """How many names they share."""

    @property
    def distance(self) -> tuple[int, int, int]:
        """Names say more about a network than shapes do, and the usual settings come first."""
        names = len(self.differences.missing) + len(self.differences.unexpected)
        return names, len(self.differences) - names, len(settings_of(self.config))


def compare_with_catalog(state: State) -> list[CatalogMatch]:
    """Compare a state with every network in its likely configurations, the best first.

    Those without differences fit. Only names, shapes and types count; nothing is computed.
    """
    found = (_compare(config, state) for kind in _kinds() for config in kind.candidates(state))
    return sorted(found, key=lambda comparison: comparison.distance)


def networks() -> list[str]:
    """The names of the catalogue's networks that have weights."""
    return [name_of(kind) for kind in _kinds()]


def settings_of(config: NetworkConfig) -> dict[str, object]:
    """Settings that a run file needs besides the name: everything that is not a default."""
    settings = config.model_dump(mode="json", exclude_defaults=True)
    return {key: value for key, value in settings.items() if key != "name"}


def in_words(config: NetworkConfig) -> str:
    """For a sentence: `name = "transmorph_oasis" with sizes = "large"`."""
    settings = [f"{key} = {as_toml(value)}" for key, value in settings_of(config).items()]
    name = f"name = {as_toml(name_of(config))}"
    return f"{name} with {' and '.join(settings)}" if settings else name


def name_of(config: NetworkConfig | type[NetworkConfig]) -> str:
    """The name under which a run file knows a network."""
    kind = config if isinstance(config, type) else type(config)
    return str(kind.model_fields["name"].default)


def as_toml(value: object) -> str:
    """A value of a configuration on one line of TOML."""
    if isinstance(value, Mapping):
        inside = ", ".join(f"{key} = {as_toml(part)}" for key, part in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    # The two languages agree on text, numbers, booleans and lists of them.
    return json.dumps(value, ensure_ascii=False)


def _kinds() -> list[type[NetworkConfig]]:
    """The networks of the catalogue that have weights."""
    union, *_ = get_args(ModelConfig)
    return [kind for kind in get_args(union) if kind.trainable]


def _compare(config: NetworkConfig, state: State) -> CatalogMatch:
    wanted = _wanted(config)
    return CatalogMatch(
        config, Differences.between(wanted, state), len(wanted.keys() & state.keys())
    )


@cache
def _wanted(config: NetworkConfig) -> State:
    """Names, shapes and types of a network, which is built without memory."""
    with torch.device("meta"):
        return config.build().state_dict()
