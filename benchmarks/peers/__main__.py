"""Well-known registration tools on the pairs of a list, scored by Regatta's judge.

python -m benchmarks.peers --dataset PAIRS.json --tools greedy convexadam syn --output FOLDER

Each tool gets an environment of its own, made when it is first used. A field that FOLDER has from
the same version and settings of a tool is not made again, so take another one to time anew.
With `--leaderboard` the scores go into the leaderboard too.
"""

import argparse
import statistics
import subprocess
from pathlib import Path

from benchmarks.machine import describe
from benchmarks.peers.catalog import TOOLS
from benchmarks.peers.environment import PLACE, python_of
from benchmarks.peers.record import read_records
from eval.leaderboard.cli import DEFAULT
from eval.leaderboard.commands import Addition, add_submission
from eval.metrics.base import MetricBase
from eval.metrics_file import write_metrics
from eval.report import ScoreReport
from eval.scoring import Scorer
from l2r.console import progress
from l2r.errors import L2RError
from l2r.submission import open_submission
from pipeline.register.request import Job, RunRequest, resolve


def main(names: list[str], what: Job, ground_truth: Path, place: Path) -> None:
    """Make all fields, score them, and print a table."""
    pythons = {name: python_of(name, TOOLS[name], place) for name in names}
    for name, python in pythons.items():
        make(name, what, python)
    reports = {}
    for name in names:
        reports[name] = judge(what.folder / name, what, ground_truth)
    print(f"{describe()}, {len(what.pairs)} pairs\n")
    print(table(reports, what))


def enter(name: str, what: Job) -> str:
    """Add a tool's scores to the leaderboard."""
    metrics, tool = what.folder / name / "metrics.json", TOOLS[name]
    title = f"{name} {tool.version}"
    return add_submission(DEFAULT, Addition(metrics, what.task.name, title, None, tool.settings))


def make(name: str, what: Job, python: Path) -> None:
    """The fields of one tool that are not there yet, each in a process of its own."""
    tool, folder = TOOLS[name], what.folder / name
    folder.mkdir(parents=True, exist_ok=True)
    now = (tool.version, tool.settings)
    records = read_records(folder)
    made = {
        field
        for field, record in records.items()
        if (record.version, record.settings) == now and (folder / field).is_file()
    }
    with progress(len(what.pairs), name) as advance:
        for field, pair in what.pairs.items():
            if field not in made:
                words = [str(python), "-m", "benchmarks.peers.one_pair", name]
                words += [str(path) for path in (pair.fixed.path, pair.moving.path, folder / field)]
                code = subprocess.run(words, stdout=subprocess.DEVNULL, check=False).returncode
                if code:  # below 0, the signal that ended it
                    raise L2RError(f"{name} failed on {pair.name} with {code}, see above")
            advance(pair.name)


def judge(folder: Path, what: Job, ground_truth: Path) -> ScoreReport:
    """Write the scores of `python -m eval score` into the same file."""
    pairs = list(what.pairs.values())
    with progress(len(pairs), f"scoring {folder.name}") as advance:
        report = Scorer.of(what.task, ground_truth).score_submission(
            open_submission(folder), pairs, done=lambda case: advance(case.name)
        )
    write_metrics(folder / "metrics.json", report.metrics_file())
    return report


def table(reports: dict[str, ScoreReport], what: Job) -> str:
    """One row per tool, after one for the images as they are."""
    first = next(iter(reports.values()))
    metrics = first.scored()
    heads = [f"{metric.name} {metric.unit}".rstrip() + ": mean, worst" for metric in metrics]
    rows = [["tool", "settings", *heads, "s per pair", "peak GiB"]]
    rows.append(["---"] * len(rows[0]))
    before = [first.unregistered(metric.name) for metric in metrics]
    rows.append(["none", "", *("" if mean is None else f"{mean:.4g}" for mean in before), "", ""])
    for name, report in reports.items():
        records = read_records(what.folder / name)
        made = [records[field] for field in what.pairs]
        rows.append([
            f"{TOOLS[name].package} {made[0].version}",
            f"`{made[0].settings}`",
            *(spread(report, metric) for metric in metrics),
            f"{statistics.mean(record.seconds for record in made):.1f}",
            f"{max(record.peak_gib for record in made):.2f}",
        ])  # fmt: skip
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def spread(report: ScoreReport, metric: MetricBase) -> str:
    """Mean and worst over the cases."""
    means = [result.mean for result in report.results(metric.name)]
    worst = (min if metric.better == "higher" else max)(means)
    return f"{statistics.mean(means):.4g}, {worst:.4g}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument(
        "--ground-truth", type=Path, help="images and labels (else the list's folder)"
    )
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS))
    parser.add_argument("--task", default="aseg")
    parser.add_argument("--split", default="validation")
    parser.add_argument("--limit", type=int, help="only the first pairs")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--environments", type=Path, default=PLACE)
    parser.add_argument("--leaderboard", action="store_true", help="add the scores to it")
    words = parser.parse_args()
    folder = words.ground_truth or words.dataset.parent
    try:
        request = RunRequest(
            task=words.task,
            dataset=words.dataset,
            input=folder,
            output=words.output,
            split=words.split,
            limit=words.limit,
        )
        job = resolve(request)
        main(words.tools, job, folder, words.environments)
        for tool in words.tools if words.leaderboard else ():
            print(enter(tool, job))
    except L2RError as error:
        parser.error(str(error))
