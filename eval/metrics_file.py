"""The organisers' `metrics.json`: one schema for writing and for reading it.

    {"name": ..., "aggregates": {metric or group: {"mean", "std", "30"}},
     "cases": {"FFFF_ff<--MMMM_mm": {metric: {"mean", "detailed"}}}, "eval_version": "2.0"}

The organisers write `NaN` and `Infinity`, which strict readers of JSON refuse, and the platform
reads them as null. Both ways are read here; an undefined value is None in either case.
"""

import json
import math
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from l2r.disk import writing
from l2r.errors import LeaderboardError
from l2r.schema import Tolerant, parse, read_json


def _none_for_nan(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


ScoreValue = Annotated[float | None, AfterValidator(_none_for_nan)]
"""None where it is undefined; infinite where the scorer says so."""


class MetricScore(Tolerant):
    """One metric of one case."""

    mean: ScoreValue
    detailed: list[ScoreValue] | ScoreValue = None
    """Per structure or point, in the scorer's order; the mean again where there is one value."""

    @property
    def values(self) -> list[float | None]:
        """The values per structure or point; empty where there is one."""
        return self.detailed if isinstance(self.detailed, list) else []


class MetricAggregate(Tolerant):
    """One metric over all cases, or over a group of them."""

    model_config = ConfigDict(populate_by_name=True)

    mean: ScoreValue
    std: ScoreValue = None
    quantile: ScoreValue = Field(None, alias="30")


class MetricsFile(Tolerant):
    """A scored submission."""

    name: str = ""
    """Name of the protocol."""
    aggregates: dict[str, MetricAggregate] = Field(default_factory=dict)
    """By the name of the metric or of the group."""
    cases: dict[str, dict[str, MetricScore]]
    """By the case's name, then by the metric's."""
    eval_version: str | float = ""


def read_metrics(path: Path) -> MetricsFile:
    """Read a `metrics.json`.

    Raises:
        LeaderboardError: no such file, or it is not one.
    """
    return parse(MetricsFile, read_json(path, LeaderboardError), str(path), LeaderboardError)


def write_metrics(path: Path, metrics: MetricsFile, *, strict: bool = False) -> None:
    """Write a `metrics.json`, atomically.

    Args:
        path: of the file.
        metrics: its content.
        strict: null for what is no finite number, as the platform wants it, instead of `NaN` and
            `Infinity` as the organisers write it.

    Raises:
        OutputError: the folder is missing, read-only or full.
    """
    content = metrics.model_dump(by_alias=True)
    write_json(path, content if strict else _nan_for_none(content), strict=strict)


def write_json(path: Path, content: object, *, strict: bool) -> None:
    """Write JSON, atomically.

    Raises:
        OutputError: the folder is missing, read-only or full.
    """
    if strict:
        content = finite(content)
    with writing(path) as file:
        file.write(json.dumps(content, indent=4, allow_nan=not strict).encode())


def finite(content: object) -> object:
    """The same, with None for every number that is not finite.

    Example:
        >>> finite({"mean": float("inf"), "detailed": (1.0, float("nan"))})
        {'mean': None, 'detailed': [1.0, None]}
    """
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content


def _nan_for_none(content: object) -> object:
    if isinstance(content, dict):
        return {key: _nan_for_none(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_nan_for_none(value) for value in content]
    return math.nan if content is None else content
