"""Box plots of every structure over several submissions, from files of scores."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from eval.figures.canvas import COLOURS, colours_of, panels, titles_of
from eval.metrics_file import MetricsFile, read_metrics
from eval.protocol import Protocol
from l2r.errors import ConfigError

_PER_BOX_IN = 0.13
"""Width of a box with its gap."""


def structures(files: Sequence[Path], protocol: Protocol, metric: str) -> Figure:
    """A group of boxes for each structure, a box for each submission.

    Args:
        files: `metrics.json` of each submission.
        protocol: of their task, for the labels of structures.
        metric: name of one that goes by structures.

    Raises:
        LeaderboardError: a file cannot be read.
        ConfigError: it has no values by structure of that metric.
    """
    values = [_values(path, read_metrics(path), metric) for path in files]
    scores = dict(zip(titles_of(files), values, strict=True))
    count = max(len(case) for cases in scores.values() for case in cases)
    labels = [str(label) for label in protocol.labels or ()]
    labels = labels if len(labels) == count else [str(n) for n in range(1, count + 1)]
    width = max(4.0, _PER_BOX_IN * count * (len(scores) + 1) + 1)
    figure, ((axes,),) = panels(1, 1, (width, 3.4))
    colours = colours_of([*scores])
    for number, (title, cases) in enumerate(scores.items()):
        groups = [[case[at] for case in cases if at < len(case)] for at in range(count)]
        known = [[v for v in group if v is not None and np.isfinite(v)] for group in groups]
        places = np.arange(count) + (number + 1) / (len(scores) + 1) - 0.5
        boxes = axes.boxplot(
            known,
            positions=places,
            widths=0.8 / (len(scores) + 1),
            patch_artist=True,
            manage_ticks=False,
            flierprops={"markersize": 2},
            medianprops={"color": COLOURS[-1]},
        )
        for box in boxes["boxes"]:
            box.set(facecolor=colours[title], alpha=0.7)
    axes.set_xticks(range(count), labels, rotation=90, fontsize=7)
    axes.set(xlabel="structure", ylabel=metric, xlim=(-0.6, count - 0.4))
    axes.legend(
        handles=[Patch(facecolor=colours[t], alpha=0.7, label=t) for t in scores],
        loc="upper center",
        bbox_to_anchor=(0.5, 1.18),
        ncols=len(scores),
    )
    return figure


def _values(path: Path, file: MetricsFile, metric: str) -> list[list[float | None]]:
    found = [case[metric].values for case in file.cases.values() if metric in case]
    if not any(found):
        known = sorted({n for case in file.cases.values() for n, s in case.items() if s.values})
        raise ConfigError(
            f"{path}: no values by structure of {metric!r}; it has {', '.join(known) or 'none'}"
        )
    return [values for values in found if values]
