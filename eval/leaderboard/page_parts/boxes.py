"""Box plots: every case of every submission, one panel per metric.

A box goes from the lower to the upper quartile with a line at the median; its whiskers end at the
outermost cases within 1.5 box lengths (Tukey, Exploratory Data Analysis, 1977). Places are in
percent of the width, so a plot is as wide as the screen lets it be without being drawn anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.leaderboard.board import Board, CaseValues, MetricColumn
from eval.leaderboard.page_parts.axis import PlotAxis, axis_of
from eval.leaderboard.page_parts.markup import Markup, element, section
from eval.leaderboard.page_parts.numbers import direction, metric_decimals, short, written
from eval.terminal import ARROWS

EXPLANATION = (
    "Each point is a case. The box holds the middle half of the cases, the line in it is the "
    "median, whiskers end within 1.5 box lengths. Point at a plot, or focus it and use the arrow "
    "keys, to read the cases."
)
HEIGHT = 20
_LANES = (-4, 2, -2, 4, 0)
"""Offsets of successive points from the middle, so that neighbours do not hide each other."""


@dataclass(frozen=True)
class BoxSummary:
    """Five numbers of a sample."""

    low: float
    lower: float
    median: float
    upper: float
    high: float


def box_of(numbers: Sequence[float]) -> BoxSummary:
    """Quartiles by linear interpolation, and the outermost numbers within 1.5 box lengths.

    Example:
        >>> box_of([1.0, 2.0, 3.0, 4.0, 100.0])
        BoxSummary(low=1.0, lower=2.0, median=3.0, upper=4.0, high=4.0)
    """
    lower, median, upper = (float(q) for q in np.quantile(numbers, (0.25, 0.5, 0.75)))
    reach = 1.5 * (upper - lower)
    inside = [n for n in numbers if lower - reach <= n <= upper + reach]
    return BoxSummary(min(inside), lower, median, upper, max(inside))


def boxes(board: Board) -> Markup:
    """The section; nothing where no case has a number."""
    plots = [
        _plot(board, column, values)
        for column in board.columns
        if (values := [v for v in board.values if v.metric == column.name and _numbers(v)])
    ]
    if not plots:
        return Markup()
    return section("cases", "Case by case", EXPLANATION, element("div", *plots, class_="plots"))


def _numbers(values: CaseValues) -> list[float]:
    return [n for n in values.cases if n is not None]


def _plot(board: Board, column: MetricColumn, values: list[CaseValues]) -> Markup:
    axis = axis_of([n for v in values for n in _numbers(v)])
    digits = metric_decimals(board)[column.name]
    rows = [_row(board, v, axis, digits) for v in values]
    scale = "" if axis.threshold is None else f" · linear below {short(axis.threshold)}, log above"
    caption = element(
        "caption",
        element("strong", column.name),
        element("small", f" {ARROWS[column.better]} {direction(column)}{scale}"),
    )
    head = element(
        "thead",
        element(
            "tr",
            element("th", "Submission", scope="col", class_="name"),
            element("th", _ticks(axis), scope="col", class_="axis"),
            element("th", "Median", scope="col"),
        ),
        class_="axes",
    )
    return element("table", caption, head, element("tbody", *rows), class_="boxes", data_steps=True)


def _row(board: Board, values: CaseValues, axis: PlotAxis, digits: int) -> Markup:
    numbers = _numbers(values)
    box = box_of(numbers)
    label = (
        f"{len(numbers)} cases, median {written(box.median, digits)}, quartiles "
        f"{written(box.lower, digits)} and {written(box.upper, digits)}, from "
        f"{written(min(numbers), digits)} to {written(max(numbers), digits)}"
    )
    drawing = element(
        "svg",
        *_grid(axis),
        *_box(box, axis),
        *_points(values, axis),
        role="img",
        aria_label=label,
        height=HEIGHT,
        data_values=board.values.index(values),
    )
    name = element("th", element("bdi", values.submission), scope="row", class_="name")
    median = element("td", written(box.median, digits))
    return element("tr", name, element("td", drawing, class_="strip"), median, data_step_row=True)


def _grid(axis: PlotAxis) -> list[Markup]:
    return [
        element("line", class_="grid", x1=x, x2=x, y1=0, y2=HEIGHT)
        for x in map(_percent, map(axis.at, axis.ticks()))
    ]


def _box(box: BoxSummary, axis: PlotAxis) -> list[Markup]:
    middle = HEIGHT / 2
    low, lower, median, upper, high = (
        axis.at(n) for n in (box.low, box.lower, box.median, box.upper, box.high)
    )
    at_median = _percent(median)
    return [
        element(
            "line", class_="whisker", x1=_percent(low), x2=_percent(high), y1=middle, y2=middle
        ),
        element(
            "rect", x=_percent(lower), width=_percent(upper - lower), y=4, height=HEIGHT - 8, rx=1.5
        ),
        element("line", class_="median", x1=at_median, x2=at_median, y1=3, y2=HEIGHT - 3),
    ]


def _points(values: CaseValues, axis: PlotAxis) -> list[Markup]:
    return [
        element(
            "circle",
            cx=_percent(axis.at(number)),
            cy=HEIGHT // 2 + _LANES[index % len(_LANES)],
            r=2,
            data_case=index,
        )
        for index, number in enumerate(values.cases)
        if number is not None
    ]


def _ticks(axis: PlotAxis) -> Markup:
    texts = [
        element("text", short(tick), x=_percent(axis.at(tick)), y=12, text_anchor="middle")
        for tick in axis.ticks()
    ]
    return element("svg", *texts, height=16, aria_hidden="true")


def _percent(number: float) -> str:
    return f"{number:.2f}%"
