"""Curves of trainings and of refinements, and the loss around some weights."""

import json
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import Field

from eval.figures.canvas import colours_of, panels, titles_of
from eval.run_record import RecordedLevel, RecordedPair, RecordedRun, read_record
from l2r.errors import ConfigError
from l2r.schema import Tolerant, parse, read_text
from l2r.submission import MANIFEST

_SIZE_IN = (4.2, 3.2)
_LEVELS = 25
"""Contours of a landscape."""
_FAINT = "#bbbbbb"
_COSINE = "cosine of two gradients"


class LoggedEpoch(Tolerant):
    """A line of a training's `log.jsonl`."""

    epoch: int
    training: dict[str, float] = Field(default_factory=dict)
    validation: dict[str, float] = Field(default_factory=dict)
    scores: dict[str, float] = Field(default_factory=dict)


def training(logs: Sequence[Path]) -> Figure:
    """Losses and scores of several trainings by epoch, a panel for each.

    Raises:
        ConfigError: a log cannot be read or is empty.
    """
    runs = dict(zip(titles_of(logs), map(_epochs, logs), strict=True))
    colours, quantities = colours_of([*runs]), _quantities(runs)
    rows = -(-len(quantities) // 3)
    figure, table = panels(rows, min(3, len(quantities)), _SIZE_IN)
    every = [axes for row in table for axes in row]
    for axes, (group, name) in zip(every, quantities, strict=False):
        for title, epochs in runs.items():
            known = [e for e in epochs if name in getattr(e, group)]
            values = [getattr(e, group)[name] for e in known]
            axes.plot([e.epoch for e in known], values, color=colours[title], label=title)
        axes.set(title=f"{group}: {name}", xlabel="epoch")
    for axes in every[len(quantities) :]:
        axes.set_axis_off()
    if len(runs) > 1:
        every[0].legend()
    return figure


def refinement(manifests: Sequence[Path], field: str | None = None) -> Figure:
    """Losses, and cosines of gradients where these were measured, over a refinement's steps.

    Args:
        manifests: of one or several runs.
        field: name of the pair's field file; the first that all runs have curves of for None.

    Raises:
        ConfigError: a manifest cannot be read or has no curves of the pair.
    """
    files = [path / MANIFEST if path.is_dir() else path for path in manifests]
    runs = dict(zip(titles_of(files), map(read_record, files), strict=True))
    name = field or _first_common(runs)
    levels = {title: _levels(run, name, title) for title, run in runs.items()}
    losses = list(
        dict.fromkeys(n for each in levels.values() for level in each for n in level.losses)
    )
    shown = (
        [*losses, _COSINE]
        if any(level.cosines for each in levels.values() for level in each)
        else losses
    )
    figure, table = panels(-(-len(shown) // 3), min(3, len(shown)), _SIZE_IN)
    every, colours = [axes for row in table for axes in row], colours_of([*levels])
    for axes, quantity in zip(every, shown, strict=False):
        for title, each in levels.items():
            _curve(axes, quantity, each, colours[title], title)
        axes.set(title=quantity, xlabel="step")
    for axes in every[len(shown) :]:
        axes.set_axis_off()
    every[0].legend()
    figure.suptitle(name)
    return figure


def landscape(tables: Sequence[Path]) -> Figure:
    """Tables of `regatta landscape` side by side, each from its lowest place up, on one scale.

    Raises:
        ConfigError: a table cannot be read.
    """
    read = dict(zip(titles_of(tables), map(_heights, tables), strict=True))
    above = np.concatenate([(total - np.nanmin(total)).ravel() for _, total in read.values()])
    levels = np.linspace(0, max(float(np.nanquantile(above, 0.95)), 1e-12), _LEVELS)
    figure, (row,) = panels(1, len(read), (4.4, 4.0))
    for axes, (title, (steps, total)) in zip(row, read.items(), strict=True):
        middle, lowest = total[len(steps) // 2, len(steps) // 2], np.nanmin(total)
        height = (total - lowest).T
        filled = axes.contourf(steps, steps, height, levels, cmap="viridis", extend="max")
        axes.contour(steps, steps, height, levels, colors="white", linewidths=0.4, alpha=0.5)
        axes.plot(0, 0, marker="+", color="white", markersize=9)
        axes.set(aspect="equal", xlabel="along the first direction", ylabel="along the second")
        axes.set_title(
            f"{title}\n{middle:.4f} in the middle, {lowest:.4f} at the lowest", fontsize=9
        )
    figure.colorbar(filled, ax=row, label="loss above the lowest", ticks=levels[::4], format="%.2g")
    return figure


def _curve(
    axes: Axes, quantity: str, levels: Sequence[RecordedLevel], colour: str, title: str
) -> None:
    """One quantity over all levels, whose ends are dotted lines."""
    parts = [_values(level, quantity) for level in levels]
    if not any(parts):  # not measured, which is not the same as none
        return
    values = [value for part in parts for value in (*part, np.nan)]
    label = title
    if quantity == _COSINE:
        known = [value for part in parts for value in part]
        conflicts = np.mean(np.array(known) < 0)
        label = f"{title}: {conflicts:.0%} conflict"
        axes.axhline(0, color=_FAINT, linewidth=0.8)
    axes.plot(values, color=colour, label=label)
    for end in list(accumulate(len(part) + 1 for part in parts))[:-1]:
        axes.axvline(end - 1, color=_FAINT, linewidth=0.8, linestyle=":")
    if quantity == _COSINE:
        axes.legend()


def _values(level: RecordedLevel, quantity: str) -> list[float]:
    return level.cosines if quantity == _COSINE else level.losses.get(quantity, [])


def _quantities(runs: dict[str, list[LoggedEpoch]]) -> list[tuple[str, str]]:
    found = [
        (group, name)
        for group in ("training", "validation", "scores")
        for epochs in runs.values()
        for epoch in epochs
        for name in getattr(epoch, group)
    ]
    return list(dict.fromkeys(found))


def _epochs(path: Path) -> list[LoggedEpoch]:
    lines = [line for line in read_text(path, ConfigError).splitlines() if line.strip()]
    if not lines:
        raise ConfigError(f"{path}: no epoch is logged yet")
    try:
        raw = [json.loads(line) for line in lines]
    except json.JSONDecodeError as cause:
        raise ConfigError(f"{path}: not the log of a training: {cause.msg}") from None
    where = f"{path}: line"
    return [parse(LoggedEpoch, each, f"{where} {n}", ConfigError) for n, each in enumerate(raw, 1)]


def _first_common(runs: dict[str, RecordedRun]) -> str:
    first, *others = runs.values()
    for name, pair in first.pairs.items():
        if _recorded(pair) and all(name in run.pairs for run in others):
            return name
    raise ConfigError(
        "the manifests have no pair in common whose losses the first one has; name one as --pair"
    )


def _levels(run: RecordedRun, name: str, title: str) -> list[RecordedLevel]:
    curves = {each: _recorded(pair) for each, pair in run.pairs.items()}
    if not curves.get(name):
        known = [each for each, levels in curves.items() if levels]
        raise ConfigError(
            f"{title}: no curves of {name}; known are {', '.join(known[:3]) or 'none'}"
        )
    return curves[name]


def _recorded(pair: RecordedPair) -> list[RecordedLevel]:
    """The levels of a pair's refinements whose losses the manifest has."""
    return [level for part in pair.refinements for level in part.levels if level.losses]


def _heights(path: Path) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n n"]]:
    """Steps along a direction, and the total loss at `[a, b]`; NaN where it was not finite."""
    lines = read_text(path, ConfigError).splitlines()[1:]
    try:
        rows = np.array([line.split(",") for line in lines], np.float64)
        steps = np.unique(rows[:, 0])
        total = rows[:, 2:].sum(axis=1).reshape(len(steps), len(steps))
    except (ValueError, IndexError) as cause:
        raise ConfigError(f"{path}: not a table of `regatta landscape`: {cause}") from None
    return steps, np.where(np.isfinite(total), total, np.nan)
