"""Every submission by every structure, as a table whose cells are coloured.

Colours run from the 2 % to the 98 % quantile of a metric, and always so that better is stronger.
A second colouring compares each cell with the median of its structure over the submissions: there
structures do not differ by being small or large, and what remains is who is good at which.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.leaderboard.board import Board, CaseValues, MetricColumn
from eval.leaderboard.page_parts.markup import Markup, element, panel, region, section, switch
from eval.leaderboard.page_parts.numbers import decimals, direction, written

EXPLANATION = (
    "Mean over cases of each structure; hatched where no case has it. Point at a cell, or focus "
    "the map and use the arrow keys, to read it."
)
STEPS = 15
"""Of the sequential colours, from 0 to this."""
SIDE_STEPS = 7
"""Of the diverging colours, to either side."""
_HEADS = 70
"""Labels that fit above the map on a wide screen."""


@dataclass(frozen=True)
class ColourScale:
    """What the colours of one metric mean."""

    worst: float
    best: float
    reach: float
    """The difference from the median that has the strongest colour."""

    def step(self, value: float) -> int:
        """0 is the worst colour, `STEPS` the best."""
        part = (value - self.worst) / (self.best - self.worst) if self.best != self.worst else 1.0
        return round(STEPS * min(max(part, 0.0), 1.0))

    def side(self, difference: float) -> int:
        """Positive is better than the median, `SIDE_STEPS` at most."""
        if not self.reach:
            return 0
        better = math.copysign(difference, difference * (self.best - self.worst))
        return round(SIDE_STEPS * min(max(better / self.reach, -1.0), 1.0))


def scale_of(column: MetricColumn, values: Sequence[CaseValues]) -> ColourScale:
    """The scale of the numbers that are there; at least one is needed."""
    numbers = [n for v in values for n in v.labels if n is not None]
    low, high = (float(q) for q in np.quantile(numbers, (0.02, 0.98)))
    middle = medians(values)
    differences = [
        abs(n - m)
        for v in values
        for n, m in zip(v.labels, middle, strict=True)
        if n is not None and m is not None
    ]
    worst, best = (low, high) if column.better == "higher" else (high, low)
    return ColourScale(worst, best, float(np.quantile(differences, 0.98)))


def medians(values: Sequence[CaseValues]) -> list[float | None]:
    """Of each structure over the submissions that have it."""
    columns = zip(*(v.labels for v in values), strict=True)
    return [_median([n for n in column if n is not None]) for column in columns]


def heat(board: Board) -> Markup:
    """The section; nothing where no metric goes by structures."""
    maps = [
        (column, values)
        for column in board.columns
        if (values := [v for v in board.values if v.metric == column.name and _any(v)])
    ]
    if not maps:
        return Markup()
    compared = any(len(values) > 1 for _, values in maps)
    against = element("input", type="checkbox", id="against")
    toggle = element("label", against, " Colour by the difference from the median submission")
    tools = element(
        "div",
        switch("heat", (column.name for column, _ in maps)),
        toggle if compared else "",
        class_="tools control",
    )
    panels = (
        panel("heat", number, *_map(board, column, values))
        for number, (column, values) in enumerate(maps)
    )
    return section("structures", "Structure by structure", EXPLANATION, tools, *panels)


def _any(values: CaseValues) -> bool:
    return any(n is not None for n in values.labels)


def _map(board: Board, column: MetricColumn, values: list[CaseValues]) -> list[Markup]:
    scale = scale_of(column, values)
    digits = decimals(n for v in values for n in v.labels)
    middle = medians(values)
    rows = [
        element(
            "tr",
            element("th", element("bdi", v.submission), scope="row", class_="name"),
            *(_cell(n, m, scale, digits) for n, m in zip(v.labels, middle, strict=True)),
            data_step_row=True,
            data_values=board.values.index(v),
        )
        for v in values
    ]
    caption = element(
        "caption", element("strong", column.name), element("small", f" {direction(column)}")
    )
    table = element(
        "table",
        caption,
        _head(board.labels),
        element("tbody", *rows),
        class_="heat",
        data_steps=True,
        style=f"--cells:{len(board.labels)}",
    )
    return [region(f"{column.name} by structure, scrolls sideways", table), _legend(scale, digits)]


def _head(labels: tuple[str, ...]) -> Markup:
    """All labels for listeners; to the eye as many as fit."""
    every = math.ceil(len(labels) / _HEADS)
    heads = (
        element("th", element("span", label, class_="spoken" if i % every else None), scope="col")
        for i, label in enumerate(labels)
    )
    return element(
        "thead", element("tr", element("th", "Structure", scope="col", class_="name"), *heads)
    )


def _cell(value: float | None, median: float | None, scale: ColourScale, digits: int) -> Markup:
    if value is None or median is None:
        return element("td", "none", class_="none")
    side = scale.side(value - median)
    style = f"--s:{scale.step(value)};--d:{abs(side)}"
    return element("td", written(value, digits), style=style, class_="worse" if side < 0 else None)


def _legend(scale: ColourScale, digits: int) -> Markup:
    """Two rulers; the style shows the one that is in use."""
    steps = (element("i", style=f"--s:{s}") for s in range(STEPS + 1))
    sides = (
        element("i", style=f"--d:{abs(d)}", class_="worse" if d < 0 else None)
        for d in range(-SIDE_STEPS, SIDE_STEPS + 1)
    )
    reach = written(scale.reach, digits)
    return element(
        "div",
        element(
            "p",
            f"worse {written(scale.worst, digits)} ",
            element("span", *steps, class_="ruler", aria_hidden="true"),
            f" {written(scale.best, digits)} better",
            class_="by-value",
        ),
        element(
            "p",
            f"worse by {reach} ",
            element("span", *sides, class_="ruler against", aria_hidden="true"),
            f" better by {reach}",
            class_="by-difference",
        ),
        class_="legend",
    )


def _median(numbers: list[float]) -> float | None:
    return float(np.median(numbers)) if numbers else None
