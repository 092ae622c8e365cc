"""A small task, and metrics files of it as the judge writes them."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from eval import metrics_file
from eval.leaderboard.database import Database
from eval.leaderboard.store import NewSubmission
from eval.metrics_file import MetricScore, MetricsFile
from l2r.task import Task, load_task

CASES = tuple(f"{n + 1:04}_0000<--{n:04}_0000" for n in range(1, 7))

TASK = """
name = "toy"
title = "A toy"

[data]
shape = [8, 8, 8]

[field]
names = "lumir"

[preprocess]
normalise = { kind = "divide", by = 255 }

[evaluation]
name = "TOY"
metrics = [
    { metric = "ndv", name = "NDV", mask = "moving" },
    { metric = "dice", name = "DSC" },
    { metric = "hd95", name = "HD95" },
    { metric = "tre", name = "TRE", folder = "landmarks" },
]
labels = [0, 4, 11]
"""


@pytest.fixture
def task(tmp_path: Path) -> Task:
    path = tmp_path / "toy.toml"
    path.write_text(TASK)
    return load_task(str(path))


@pytest.fixture
def database(tmp_path: Path) -> Database:
    made = Database(str(tmp_path / "board.sqlite"))
    made.upgrade()
    return made


def synthetic_scores(seed: int, *, shift: float = 0.0) -> dict[str, dict[str, MetricScore]]:
    """Scores of the toy task; a larger shift is better in Dice, HD95 and TRE."""
    rng = np.random.default_rng(seed)
    cases = {}
    for case in CASES:
        dice = np.clip(rng.normal(0.7, 0.02, 3) + shift, 0, 1)
        hd95 = np.clip(rng.normal(3.0, 0.1, 3) - 10 * shift, 0, None)
        cases[case] = {
            "NDV": MetricScore(mean=float(rng.random())),
            "DSC": MetricScore(mean=float(dice.mean()), detailed=dice.tolist()),
            "HD95": MetricScore(mean=float(hd95.mean()), detailed=hd95.tolist()),
            "TRE": MetricScore(mean=float(rng.normal(3 - 10 * shift, 0.1))),
        }
    return cases


def submission(name: str, seed: int, *, shift: float = 0.0) -> NewSubmission:
    return NewSubmission("toy", name, MetricsFile(cases=synthetic_scores(seed, shift=shift)))


@pytest.fixture
def write_metrics(tmp_path: Path, task: Task) -> Callable[..., Path]:
    """A metrics file, written by the judge's own writer."""

    def write(name: str, cases: dict[str, dict[str, MetricScore]]) -> Path:
        path = tmp_path / f"{name}.json"
        metrics_file.write_metrics(path, MetricsFile(name="TOY", cases=cases))
        json.loads(path.read_text())
        return path

    return write
