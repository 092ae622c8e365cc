"""Ten thousand pairs: what workers, records, the judge and the board cost beside the registration.

OMP_NUM_THREADS=1 nice python -m benchmarks.scale [pairs ...]

Pairs of made-up brains of 16 x 20 x 18 voxels get the zero field, so that almost all is reading,
writing and keeping records. Every command is a process of its own; the table has its wall time, the
processor's seconds, its own and those of its workers, and the peak memory of both. The first rows
are for a hundred pairs; the last column has what each further pair costs. The board gets the scores
that were found, and four more submissions, each up to 2 % lower than the one before.
"""

import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, permutations
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.machine import describe
from l2r.phantom import write_phantom

ROOT = Path(__file__).parents[1]
SHAPE, SUBJECTS = (16, 20, 18), 101
FEW = 100
BOARD = 5
"""Submissions to the board."""
COUNTS = ("1000", "10000")
HEAD = (
    "| pairs | command | wall s | its s | workers' s | its MiB | a worker's MiB | "
    "ms a pair after the first 100 |\n| --- | --- | --- | --- | --- | --- | --- | --- |"
)
MEASURED = "measured "


@dataclass(frozen=True)
class Cost:
    """Seconds and peak memory of one command."""

    wall_s: float
    own_s: float
    workers_s: float
    own_mib: float
    worker_mib: float

    def row(self, count: int, name: str, start: "Cost") -> str:
        """One line of Markdown; `start` is the cost for few pairs."""
        spent = self.own_s + self.workers_s - start.own_s - start.workers_s
        cells = [
            *(str(count), name, f"{self.wall_s:.1f}", f"{self.own_s:.1f}", f"{self.workers_s:.1f}"),
            *(f"{self.own_mib:.0f}", f"{self.worker_mib:.0f}"),
            f"{1e3 * spent / (count - FEW):.1f}" if count > FEW else "",
        ]
        return f"| {' | '.join(cells)} |"


def main(*counts: str) -> None:
    """Print a table, line by line as commands end."""
    print(describe())
    print(HEAD, flush=True)
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_phantom(folder, shape=SHAPE, subjects=SUBJECTS)
        (folder / "empty.toml").write_text("")
        starts: dict[str, Cost] = {}
        for count in (FEW, *map(int, counts or COUNTS)):
            for title, words in commands(folder, write_list(folder, count)):
                cost = measure(words)
                print(cost.row(count, title, starts.setdefault(title, cost)), flush=True)


def write_list(folder: Path, count: int) -> Path:
    """The list of the first so many ordered pairs of the subjects."""
    names = [f"./imagesVal/{path.name}" for path in sorted((folder / "imagesVal").iterdir())]
    pairs = [{"fixed": a, "moving": b} for a, b in islice(permutations(names, 2), count)]
    listed = json.loads((folder / "PHANTOM_dataset.json").read_text())
    path = folder / f"list_{count}.json"
    path.write_text(json.dumps({**listed, "numValidation": count, "validation": pairs}))
    return path


def commands(folder: Path, dataset: Path) -> Iterator[tuple[str, list[str]]]:
    """Commands to measure with one list, each after those before it have ended."""
    task, out = ["--task", f"{folder}/phantom.toml"], folder / dataset.stem
    given = [*task, "--dataset", str(dataset)]
    run = ["run", *given, "--device", "cpu", "--config", f"{folder}/empty.toml", "--output"]
    workers, scores = ["--cluster", "local:2"], Path(f"{out}_scores.json")
    database = ["--database", f"{out}.sqlite"]
    yield "`run`", [*run, f"{out}_one"]
    yield "`run --cluster local:2`", [*run, f"{out}_two", *workers]
    yield "`run`, all made before", [*run, f"{out}_one"]
    yield "`run --cluster local:2`, all made before", [*run, f"{out}_two", *workers]
    yield "`score`", ["score", f"{out}_one", *given, "--output", str(scores)]
    yield "`score --cluster local:2`", ["score", f"{out}_two", *given, *workers]
    yield "`leaderboard init`", ["leaderboard", "init", *database]
    for number in range(1, BOARD + 1):
        add = ["leaderboard", "add", str(scores), "--name", f"system {number}", *task, *database]
        yield f"`leaderboard add`, {number} of {BOARD}", add
        write_lower_scores(scores, number)
    yield "`leaderboard export`", ["leaderboard", "export", f"{out}.html", *task, *database]


def write_lower_scores(path: Path, seed: int) -> None:
    """Lower the scores of every case in a file by up to 2 %."""
    scores, draw = json.loads(path.read_text()), random.Random(seed)  # noqa: S311
    for case in scores["cases"].values():
        factor = 1 - 0.02 * draw.random()
        for metric in case.values():
            metric["mean"] *= factor
            metric["detailed"] = np.multiply(factor, metric["detailed"]).tolist()
    path.write_text(json.dumps(scores))


def measure(words: Sequence[str]) -> Cost:
    """Run a command of `regatta` and learn what it took."""
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.scale", "--one", *words],
        cwd=ROOT, env=os.environ, check=False, capture_output=True, text=True,
    )  # fmt: skip
    if ran.returncode:
        sys.exit(f"{' '.join(words)}: {ran.stderr}")
    return Cost(**json.loads(ran.stdout.splitlines()[-1].removeprefix(MEASURED)))


def one(words: Sequence[str]) -> None:
    """Be the command, and print its cost as the last line."""
    from pipeline.cli import app  # noqa: PLC0415 - its time counts

    start = time.monotonic()
    try:
        app(list(words))
    except SystemExit as ended:
        if ended.code:
            raise
    wall = time.monotonic() - start
    own, workers = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(
        MEASURED
        + json.dumps({
            "wall_s": wall,
            "own_s": own.ru_utime + own.ru_stime,
            "workers_s": workers.ru_utime + workers.ru_stime,
            "own_mib": own.ru_maxrss / 2**10,
            "worker_mib": workers.ru_maxrss / 2**10,
        })
    )  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2:])
    else:
        main(*sys.argv[1:])
