"""The organisers' own `*_evaluation_config.json`, read as a protocol and a pair list.

    LUMIR 2024 and 2025     {"name", "evaluation_methods": [...], "expected_shape": [x, y, z, 3],
                             "eval_pairs": [{"fixed", "moving"}], "masked_evaluation"}
    classic Learn2Reg       the same with "task_name" for "name"

A method is `{"name", "metric", "labels" or "dest"}`; in the oldest files, of HippocampusMR,
`evaluation_methods` is `{"dice": [labels], "sdlogj": true}`. What the file leaves open is the
task's: the image whose foreground counts for folds, whether landmarks are blobs or points, the
names of fields, and those of metrics where the file has none.
LUMIR's scorers take several files at once, one for landmarks and one for each group of labels.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import Field, RootModel, field_validator, model_validator

from eval.metrics.catalog import Metric
from eval.protocol import Protocol
from eval.scoring import Scorer
from l2r.arrays import triple
from l2r.dataset import listed_pair
from l2r.distinct import distinct
from l2r.errors import TaskError
from l2r.pairs import Pair
from l2r.schema import Tolerant, parse, read_json
from l2r.task import ImageRules

KINDS: dict[str, tuple[str, ...]] = {
    "dice": ("dice",),
    "hd95": ("hd95",),
    "ndv": ("ndv",),
    "sdlogj": ("sdlogj",),
    "tre": ("tre", "key_points"),
}
"""Names of our metrics for each of theirs."""
BESIDE: dict[str, dict[str, object]] = {
    "sdlogj": {"metric": "num_foldings", "name": "num_foldings"},
}
"""Metrics that their scorers compute along with another, without being asked."""


class _Settings(RootModel[Metric]):
    """Settings of one of our metrics."""


class _Method(Tolerant):
    name: str
    """Empty in the oldest files."""
    metric: str
    labels: list[int] | None = None
    dest: str | None = None


class _Pair(Tolerant):
    fixed: str
    moving: str


class _Config(Tolerant):
    name: str = ""
    task_name: str = ""
    evaluation_methods: Annotated[list[_Method], Field(min_length=1)]
    expected_shape: Annotated[list[int], Field(min_length=4, max_length=4)]
    eval_pairs: Annotated[list[_Pair], Field(min_length=1)]
    masked_evaluation: bool = False

    @field_validator("evaluation_methods", mode="before")
    @classmethod
    def _as_list(cls, methods: object) -> object:
        if not isinstance(methods, dict):
            return methods
        return [
            {"name": "", "metric": metric, "labels": None if asked is True else asked}
            for metric, asked in methods.items()
            if asked is not False
        ]

    @model_validator(mode="after")
    def _is_called_something(self) -> "_Config":
        if not self.called:
            raise ValueError("neither name nor task_name; is it an evaluation config?")
        return self

    @property
    def called(self) -> str:
        return self.name or self.task_name


def with_configs(scorer: Scorer, paths: list[Path]) -> tuple[Scorer, list[Pair]]:
    """The scorer with the protocol of the files, and the pairs of all of them.

    Args:
        scorer: of the task, for all that the files leave open.
        paths: at least one file.

    Raises:
        TaskError: a file is faulty, asks for a metric that does not exist, or contradicts another.
        DatasetError: a pair cannot be used or is listed twice.
    """
    configs = {
        path: parse(_Config, read_json(path, TaskError), str(path), TaskError) for path in paths
    }
    metrics: dict[str, Metric] = {}
    pairs: list[Pair] = []
    for path, config in configs.items():
        for metric in _metrics(config, scorer.protocol, path):
            if metrics.setdefault(metric.name, metric) != metric:
                raise TaskError(
                    f"{path}: {metric.name} is not what it is in {paths[0]}; score them one by one"
                )
        pairs += [
            listed_pair(pair.fixed, pair.moving, scorer.truth.folder, f"{path}: pair {number}")
            for number, pair in enumerate(config.eval_pairs, start=1)
        ]
    shapes = {tuple(config.expected_shape) for config in configs.values()}
    if len(shapes) > 1 or next(iter(shapes))[3] != 3:
        raise TaskError(f"{paths[-1]}: expected_shape must be [x, y, z, 3], the same in all files")
    return _with(scorer, configs[paths[0]], metrics), distinct(pairs, paths[-1])


def _with(scorer: Scorer, config: _Config, metrics: dict[str, Metric]) -> Scorer:
    changes = {
        "name": config.called,
        "metrics": tuple(metrics.values()),
        "aggregates": scorer.protocol.aggregates.about(set(metrics)),
    }
    data = ImageRules(shape=triple(config.expected_shape[:3]))
    return replace(
        scorer,
        task=scorer.task.model_copy(update={"data": data}),
        protocol=scorer.protocol.model_copy(update=changes),
    )


def _metrics(config: _Config, known: Protocol, path: Path) -> Iterator[Metric]:
    for method in config.evaluation_methods:
        where = f"{path}: {method.name or method.metric}"
        settings = [_metric(method, config, known, where)]
        if method.metric in BESIDE:
            settings.append(BESIDE[method.metric])
        yield from (parse(_Settings, raw, where, TaskError).root for raw in settings)


def _metric(method: _Method, config: _Config, known: Protocol, where: str) -> dict[str, object]:
    """Settings of our metric; the task's metric of that kind gives what the file leaves open."""
    if method.metric not in KINDS:
        raise TaskError(f"{where}: no metric {method.metric!r}; known are {', '.join(KINDS)}")
    alike = [metric for metric in known.metrics if metric.metric in KINDS[method.metric]]
    same = [metric for metric in alike if metric.folder == method.dest]
    settings = (same or alike)[0].model_dump() if alike else _plain(method.metric, config, where)
    settings["name"] = method.name or settings.get("name", method.metric)
    if method.labels is not None:
        settings["labels"] = tuple(method.labels)
    if method.dest is not None:
        settings["folder"] = method.dest
    if method.metric == "sdlogj":
        settings["masks"] = "masks" if config.masked_evaluation else None
    return settings


def _plain(metric: str, config: _Config, where: str) -> dict[str, object]:
    """Settings where the task has no such metric, as far as they are clear."""
    if metric == "ndv":
        raise TaskError(
            f"{where}: it does not say in which image folds count, nor does the task; LUMIR meant "
            "the moving one in 2024 (--task lumir24) and the fixed one in 2025 (--task lumir25)"
        )
    points = metric == "tre" and bool(config.task_name)  # LUMIR's landmarks are blobs in label maps
    return {"metric": "key_points" if points else metric}
