"""Curves of an experiment, one line per system, a band over its seeds.

python -m benchmarks.figures.experiment FOLDER/curves.csv curves.png "training similarity"
"""

import argparse
import csv
from collections import defaultdict
from pathlib import Path
from statistics import fmean

import matplotlib as mpl
import matplotlib.pyplot as plt

mpl.use("Agg")
Curve = dict[int, list[float]]
"""Values of all seeds by epoch or iterate."""


def read(path: Path) -> dict[str, dict[str, Curve]]:
    """The curves by their names, then by system."""
    found: dict[str, dict[str, Curve]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    with path.open() as file:
        for row in csv.DictReader(file):
            place, value = int(row["place"]), float(row["value"])
            found[row["curve"]][row["system"]][place].append(value)
    return found


def draw(curves: dict[str, dict[str, Curve]], names: list[str], target: Path) -> None:
    """A panel per curve."""
    figure, axes = plt.subplots(1, len(names), figsize=(5 * len(names), 4), squeeze=False)
    for panel, name in zip(axes[0], names, strict=True):
        for system, curve in curves[name].items():
            places = sorted(curve)
            panel.plot(places, [fmean(curve[place]) for place in places], label=system)
            low, high = ([end(curve[place]) for place in places] for end in (min, max))
            panel.fill_between(places, low, high, alpha=0.2)
        panel.set_title(name)
        panel.set_xlabel("epoch" if not name.startswith("refinement") else "step")
        panel.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(target, dpi=120)


def main() -> None:
    """Draw the curves that are named, or list all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("curves", nargs="+")
    given = parser.parse_args()
    found = read(given.table)
    if unknown := [name for name in given.curves if name not in found]:
        parser.error(f"no curve {unknown[0]!r}; there are: {', '.join(sorted(found))}")
    draw(found, given.curves, given.target)


if __name__ == "__main__":
    main()
