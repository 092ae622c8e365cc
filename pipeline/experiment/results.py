"""Results of an experiment's jobs: scores by case, seconds, memory and curves."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from eval.metrics_file import read_metrics
from l2r.errors import OutputError
from l2r.submission import MANIFEST
from models.training.logging import LogFile
from pipeline.experiment.jobs import SystemRun
from pipeline.register.manifest import Manifest, read_manifest


@dataclass(frozen=True)
class RunResult:
    """One system with one seed."""

    system: str
    seed: int
    scores: Mapping[str, Mapping[str, float]]
    """Mean of each case, by metric; undefined ones are left out."""
    seconds_per_pair: float
    peak_memory_gib: float
    training_seconds: float | None = None
    training_memory_gib: float | None = None
    unimproved: int = 0
    """Pairs that were not `done`."""


@dataclass(frozen=True)
class CurvePoint:
    """One number of a curve."""

    system: str
    seed: int
    curve: str
    """`training similarity`, or `refinement 1, level 1: similarity`, the mean over pairs."""
    place: int
    """Epoch from 1, or iterate from 0."""
    value: float


def read_result(run: SystemRun) -> RunResult:
    """Read one run's results.

    Raises:
        OutputError: the manifest is damaged.
        LeaderboardError: the scores are.
    """
    manifest = _manifest(run)
    scores: dict[str, dict[str, float]] = {}
    for case, metrics in read_metrics(run.metrics).cases.items():
        for name, score in metrics.items():
            if score.mean is not None:
                scores.setdefault(name, {})[case] = score.mean
    seconds = [sum(pair.seconds.values()) for pair in manifest.pairs.values()]
    trained = json.loads(run.trained.read_text()) if run.trained.is_file() else {}
    return RunResult(
        run.system.name,
        run.seed,
        scores,
        sum(seconds) / max(len(seconds), 1),
        max(manifest.peak_memory_gib.values(), default=0.0),
        trained.get("seconds"),
        max((line["peak_memory_gib"] for line in _log(run.training)), default=None),
        sum(pair.status != "done" for pair in manifest.pairs.values()),
    )


def read_curves(run: SystemRun) -> Iterator[CurvePoint]:
    """Losses and scores of the training's epochs, and losses of the refinements' iterates.

    Raises:
        OutputError: the manifest is damaged.
    """
    name, seed = run.system.name, run.seed
    for line in _log(run.training):
        kinds = ("training", "validation", "training_parts", "validation_parts", "scores")
        values = {f"{k.replace('_', ' ')} {n}": v for k in kinds for n, v in line[k].items()}
        values["seconds per step"] = line["seconds_per_step"]
        for curve, value in values.items():
            yield CurvePoint(name, seed, curve, line["epoch"], value)
    for curve, losses in _refinements(_manifest(run)).items():
        for place in range(max(map(len, losses))):
            found = [values[place] for values in losses if place < len(values)]
            yield CurvePoint(name, seed, curve, place, sum(found) / len(found))


def _refinements(manifest: Manifest) -> dict[str, list[tuple[float, ...]]]:
    """Curves of all pairs, by what they are of."""
    found: dict[str, list[tuple[float, ...]]] = {}
    for pair in manifest.pairs.values():
        for number, refinement in enumerate(pair.refinements, start=1):
            for place, level in enumerate(refinement.levels, start=1):
                for loss, values in level.losses.items():
                    curve = f"refinement {number}, level {place}: {loss}"
                    found.setdefault(curve, []).append(values)
    return found


def _manifest(run: SystemRun) -> Manifest:
    manifest = read_manifest(run.fields / MANIFEST)
    if manifest is None:
        raise OutputError(f"{run.fields / MANIFEST}: damaged; delete the folder and call again")
    return manifest


def _log(folder: Path) -> list[dict]:  # type: ignore[type-arg]
    path = folder / LogFile.NAME
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
