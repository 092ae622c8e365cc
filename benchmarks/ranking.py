"""The cost of ranking, with the confidence of every rank: 20 teams, 38 cases, 1000 resamples.

OMP_NUM_THREADS=1 python -m benchmarks.ranking
"""

import time

import numpy as np

from benchmarks.machine import describe
from eval.leaderboard.pairwise import OrientedValues
from eval.leaderboard.ranking import rank, resamples
from eval.leaderboard.rules import load_rule

TEAMS, CASES, LABELS, RESAMPLES = 20, 38, 133, 1000
GROUPS = {
    "lumir24": ("Dice", "HD95", "TRE", "NDV"),
    "psmareg26": ("accuracy", "accuracy", "biomarker", "regularity"),
    "mean_rank": ("Dice", "HD95", "TRE", "NDV"),
    "l2r_classic_as_coded": ("Dice", "HD95", "SDlogJ"),
    "l2r_classic_as_written": ("Dice", "HD95", "SDlogJ"),
}


def measured(group: str, per_case: int) -> OrientedValues:
    """Teams that differ a little, some of them significantly."""
    rng = np.random.default_rng(0)
    units = np.repeat(np.arange(CASES), per_case)
    values = rng.normal(size=(TEAMS, len(units))) + rng.normal(size=(TEAMS, 1))
    return OrientedValues(group, group, values, units)


def main() -> None:
    """Print seconds of the processor, which others on the machine do not change."""
    print(describe())
    print("| rule | entries | seconds without intervals | with |\n| --- | --- | --- | --- |")
    for name, groups in GROUPS.items():
        rule = load_rule(name)
        several = LABELS if rule.unit == "label" else 1
        metrics = [measured(group, 1 if group == "SDlogJ" else several) for group in groups]
        seconds = []
        for weights in (None, resamples(CASES, RESAMPLES)):
            start = time.process_time()
            rank(rule, metrics, weights=weights)
            seconds.append(time.process_time() - start)
        sizes = ", ".join(str(metric.values.shape[1]) for metric in metrics)
        print(f"| {name} | {sizes} | {seconds[0]:.1f} | {seconds[1]:.1f} |")


if __name__ == "__main__":
    main()
