"""Run files on the same pairs, scored: overlap, folds, conflicts, time and memory.

python -m benchmarks.refinements --dataset PAIRS.json --output FOLDER RUN_FILES...

Fields that FOLDER has from the same settings are not made again, so take another one to time anew.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.machine import describe
from eval.report import ScoreReport
from eval.scoring import score_submission
from l2r.submission import MANIFEST, open_submission
from pipeline.register.request import Job, RunRequest, resolve


def main() -> None:
    """Run each file in a process of its own, score it, and print a row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("configs", nargs="+", type=Path)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--task", default="aseg")
    parser.add_argument("--limit", type=int)
    given = parser.parse_args()
    print(describe())
    print("| run file | Dice | HD95 | NDV %: mean, worst | conflicts | s per pair | peak GiB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for config in given.configs:
        output = given.output / config.stem
        what = resolve(
            RunRequest(config, given.task, given.dataset, None, output, limit=given.limit)
        )
        make(what, given.dataset)
        pairs = list(what.pairs.values())
        report = score_submission(open_submission(output), what.task, pairs, given.dataset.parent)
        print(row(config.stem, report, json.loads((output / MANIFEST).read_text())), flush=True)


def make(what: Job, dataset: Path) -> None:
    """A process of its own, so that its peak memory is."""
    words = [sys.executable, "-m", "pipeline", "run", "--config", what.config]
    words += ["--task", what.task.name, "--dataset", dataset, "--output", what.folder]
    words += ["--limit", str(len(what.pairs))]
    subprocess.run([str(word) for word in words], check=True, stderr=subprocess.DEVNULL)


def row(name: str, report: ScoreReport, manifest: Mapping[str, dict]) -> str:  # type: ignore[type-arg]
    """One line of Markdown."""
    means = {
        metric.metric: [result.mean for result in report.results(metric.name)]
        for metric in report.scored()
    }
    pairs = [entry for entry in manifest["pairs"].values() if entry["status"] == "done"]
    rates = [
        level["conflict_rate"]
        for pair in pairs
        for refinement in pair["refinements"]
        for level in refinement["levels"]
        if level["conflict_rate"] is not None
    ]
    seconds = [sum(pair["seconds"].values()) for pair in pairs]
    cells = [
        name,
        f"{statistics.mean(means['dice']):.4f}",
        f"{statistics.mean(means['hd95']):.2f}",
        f"{statistics.mean(means['ndv']):.4f}, {max(means['ndv']):.4f}",
        f"{statistics.mean(rates):.0%}" if rates else "",
        f"{statistics.mean(seconds):.1f}",
        f"{manifest['peak_memory_gib']['host']:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
