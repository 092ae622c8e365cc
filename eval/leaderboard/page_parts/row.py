"""One row of the standings: rank with its interval, name, score, and the mean of every metric."""

from collections.abc import Iterator
from dataclasses import dataclass

from eval.leaderboard.board import Board, BoardRow, MetricColumn
from eval.leaderboard.page_parts.markup import Markup, element, hidden
from eval.leaderboard.page_parts.numbers import (
    best_means,
    decimals,
    metric_decimals,
    short,
    written,
)
from eval.terminal import NOTHING


@dataclass(frozen=True)
class Frame:
    """What the rows of a board have in common."""

    board: Board
    digits: dict[str, int]
    """After the point, by metric."""
    score_digits: int
    best: dict[str, float]
    """By metric; only where there is a choice."""
    sources: tuple[str, ...]
    """Of published rows, each once."""
    last_rank: float
    scored: bool
    """Whether any row has a score; likewise the others below."""
    by_means: bool
    intervals: bool
    dated: bool
    manifests: bool


def frame_of(board: Board) -> Frame:
    """The frame of a board's rows."""
    rows = board.rows
    ranks = [row.rank for row in rows if row.rank is not None]
    ends = [row.interval[1] for row in rows if row.interval is not None]
    return Frame(
        board,
        metric_decimals(board),
        decimals(row.score for row in rows),
        best_means(board),
        tuple(dict.fromkeys(row.source for row in rows if row.source)),
        max([1.0, *ranks, *ends]),
        any(row.score is not None for row in rows),
        any(row.rank_by_means is not None and row.kind == "published" for row in rows),
        any(row.interval is not None for row in rows),
        any(row.added for row in rows),
        any(row.manifest for row in rows),
    )


def table_row(row: BoardRow, frame: Frame) -> Markup:
    """The row; cells carry what they are sorted by as `data-key`, if anything."""
    return element("tr", *_cells(row, frame), class_=row.kind, data_name=row.name)


def _cells(row: BoardRow, frame: Frame) -> Iterator[Markup]:
    yield _place(row, frame)
    yield _name(row, frame.sources)
    if frame.scored:
        yield element("td", written(row.score, frame.score_digits), data_key=row.score)
    if frame.by_means:
        by_means = NOTHING if row.rank_by_means is None else short(row.rank_by_means)
        yield element("td", by_means, data_key=row.rank_by_means)
    for column in frame.board.columns:
        yield _mean(row, column, frame)
    if frame.dated:
        yield element("td", row.added[:10] or NOTHING, data_key=row.added or None)
    if frame.manifests:
        yield element("td", _manifest(row, frame.board))


def _place(row: BoardRow, frame: Frame) -> Markup:
    """Sorted by the board's own order, which places rows without a rank too."""
    parts = [element("span", NOTHING if row.rank is None else short(row.rank), class_="rank")]
    if row.rank is not None and row.interval is not None:
        low, high = row.interval
        bar = _bar(row.rank, low, high, frame.last_rank)
        parts += [bar, element("small", f"{short(low)}-{short(high)}")]
    return element("td", *parts, class_="place", data_key=frame.board.rows.index(row))


def _bar(rank: float, low: float, high: float, last: float) -> Markup:
    """Ranks from 1 to the last, the interval thick and the rank upright."""

    def line(kind: str, start: float, end: float, half: int = 0) -> Markup:
        x1, x2 = (f"{6 + 88 * (r - 1) / max(last - 1, 1):.1f}%" for r in (start, end))
        return element("line", class_=kind, x1=x1, x2=x2, y1=6 - half, y2=6 + half)

    return element(
        "svg",
        line("track", 1.0, last),
        line("span", low, high),
        line("point", rank, rank, 5),
        class_="interval",
        aria_hidden="true",
    )


def _name(row: BoardRow, sources: tuple[str, ...]) -> Markup:
    parts = [element("bdi", row.name)]
    if row.kind == "published":
        place = f"#source-{sources.index(row.source) + 1}" if row.source else None
        what = "published mean" if any(m is not None for m in row.means.values()) else "published"
        chip = element("a" if place else "span", what, class_="chip", href=place)
        parts += [Markup(" "), chip]
    parts += [element("small", text) for text in (_told(row), row.note) if text]
    return element("th", *parts, scope="row", class_="name", data_key=row.name)


def _told(row: BoardRow) -> str:
    """Rank and score as the organisers published them."""
    rank = "" if row.published_rank is None else f"rank {row.published_rank}"
    score = "" if row.published_score is None else f"score {short(row.published_score)}"
    told = ", ".join(filter(None, (rank, score)))
    return f"{told} as published" if told else ""


def _mean(row: BoardRow, column: MetricColumn, frame: Frame) -> Markup:
    mean, digits = row.means.get(column.name), frame.digits[column.name]
    text = written(mean, digits)
    is_best = mean is not None and mean == frame.best.get(column.name)
    shown = (element("strong", text), hidden(" (best)")) if is_best else (text,)
    return element("td", *shown, _spread(row, column, frame), data_key=mean)


def _spread(row: BoardRow, column: MetricColumn, frame: Frame) -> Markup:
    """The standard deviation, as wide where it is missing, so that means stand in line."""
    if not any(column.name in other.deviations for other in frame.board.rows):
        return Markup()
    digits = frame.digits[column.name]
    deviation = row.deviations.get(column.name)
    text = "" if deviation is None else f"±{written(deviation, digits)}"
    return element("small", text, style=f"min-width:{digits + 3}ch")


def _manifest(row: BoardRow, board: Board) -> Markup | str:
    if not row.manifest:
        return NOTHING
    spoken = hidden(f" manifest of {row.name}")
    return element("a", "view", spoken, href=f"#manifest-{board.rows.index(row)}")
