"""Scores as files: the organisers' own, or one long table for analysis."""

import math
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import median

from eval.metrics.base import Result
from eval.metrics_file import write_json, write_metrics
from eval.report import ScoreReport, aggregate
from l2r.disk import write_csv, writing
from l2r.errors import OutputError

SUFFIXES = (".json", ".csv", ".parquet")
CODABENCH = "scores.json"
"""Written as Codabench reads it where the task is scored there; any other JSON is `metrics.json`,
which has the cases."""


@dataclass(frozen=True)
class ScoreLine:
    """A line of the long table."""

    submission: str
    task: str
    case: str
    metric: str
    unit: str
    """Empty for a plain number."""
    label: str | None
    """Label of the structure, or `#1` for the first point; None for the mean of the case."""
    value: float


def check_output(path: Path) -> None:
    """Refuse a file of scores that could not be written, before any work is done.

    Raises:
        OutputError: the folder is missing, or the suffix is none that we write.
    """
    if path.suffix not in SUFFIXES:
        raise OutputError(
            f"{path}: scores are written as {', '.join(SUFFIXES)}; name the file accordingly"
        )
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder does not exist; make it first")


def write_scores(path: Path, report: ScoreReport, submission: str, task: str) -> None:
    """Write the scores in the format of the suffix.

    Raises:
        OutputError: as for `check_output`, or the file cannot be written.
    """
    check_output(path)
    if path.suffix == ".csv":
        names = (field.name for field in fields(ScoreLine))
        write_csv(path, names, map(astuple, long_table(report, submission, task)))
    elif path.suffix == ".parquet":
        _write_parquet(path, long_table(report, submission, task))
    elif report.protocol.layout == "codabench" and path.name == CODABENCH:
        _write_codabench(path, report)
    else:
        write_metrics(path, report.metrics_file())


def long_table(report: ScoreReport, submission: str, task: str) -> Iterator[ScoreLine]:
    """List every value of every case: the mean, then those of the structures or points."""
    units = {metric.name: metric.unit for metric in report.protocol.metrics}
    for case in report.cases:
        for name, result in case.results.items():
            yield ScoreLine(submission, task, case.name, name, units[name], None, result.mean)
            for label, value in _detailed(result):
                yield ScoreLine(submission, task, case.name, name, units[name], label, value)


def _detailed(result: Result) -> Iterator[tuple[str, float]]:
    if isinstance(result.detailed, tuple):
        points = [f"#{place}" for place in range(1, 1 + len(result.detailed))]
        names = [str(label) for label in result.labels] or points
        yield from zip(names, result.detailed, strict=True)


def _write_parquet(path: Path, scores: Iterator[ScoreLine]) -> None:
    import pyarrow as pa  # noqa: PLC0415 - large, and only here
    from pyarrow import parquet  # noqa: PLC0415

    types = {field.name: pa.string() for field in fields(ScoreLine)} | {"value": pa.float64()}
    rows = list(map(astuple, scores))
    columns = zip(*rows, strict=True) if rows else ([] for _ in types)
    arrays = [pa.array(list(c), kind) for c, kind in zip(columns, types.values(), strict=True)]
    with writing(path) as file:
        parquet.write_table(pa.Table.from_arrays(arrays, list(types)), file)


def _write_codabench(path: Path, report: ScoreReport) -> None:
    """`scores.json` as Codabench reads it, and `detailed_results.json` beside it.

    A case is called by its subject, unless a subject has several.
    """
    subjects = [case.name.partition("_")[0] for case in report.cases]
    several = len(set(subjects)) < len(subjects)
    aggregates = report.aggregates()
    scores = {metric.name: aggregates[metric.name].mean for metric in report.scored()}
    details = {
        "summary": {name: _summary([r.mean for r in report.results(name)]) for name in scores},
        "per_subject": [
            {"subject_id": case.name if several else subject}
            | {name: r.mean for name, r in case.results.items()}
            for subject, case in zip(subjects, report.cases, strict=True)
        ],
    }
    write_json(path.with_name("detailed_results.json"), details, strict=True)
    write_json(path, scores, strict=True)


def _summary(means: list[float]) -> dict[str, int | float]:
    finite = [mean for mean in means if math.isfinite(mean)]
    over = aggregate(finite)
    return {
        "count": len(means),
        "finite_count": len(finite),
        "non_finite_count": len(means) - len(finite),
        "mean": over.mean,
        "std": over.std,
        "median": median(finite) if finite else math.nan,
        "min": min(finite, default=math.nan),
        "max": max(finite, default=math.nan),
    }
