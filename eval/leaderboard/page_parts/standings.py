"""The table of all rows: rank with its interval, score, and the mean of every metric."""

from eval.leaderboard.board import Board, Column, Row
from eval.leaderboard.page_parts.markup import (
    Markup,
    element,
    hidden,
    join,
    linked,
    region,
    section,
)
from eval.leaderboard.page_parts.numbers import (
    ARROWS,
    NOTHING,
    best,
    decimals,
    direction,
    metric_decimals,
    short,
    written,
)

EXPLANATION = (
    "Mean over cases ± standard deviation. Bold and underlined: the best mean of a column. "
    "The bar beside a rank is where 95 % of the bootstraps put it."
)


def standings(board: Board) -> Markup:
    """The section, with its filter."""
    if not board.rows:
        empty = element("p", "No submission yet.", class_="empty")
        return section("standings", "Standings", "Every submission, best first.", empty)
    sources = tuple(dict.fromkeys(row.source for row in board.rows if row.source))
    body = element("tbody", *(_row(board, row, sources) for row in board.rows))
    caption = element("caption", "Submissions, best first", class_="spoken")
    table = element("table", caption, _head(board), body, class_="standings", data_sortable=True)
    return section(
        "standings",
        "Standings",
        EXPLANATION,
        _filter(board),
        region("Standings, scrolls sideways", table),
        element("p", "No row fits the filter.", class_="empty", id="nothing", hidden=True),
        _sources(sources),
    )


def _filter(board: Board) -> Markup:
    kinds = {row.kind for row in board.rows}
    text = element("input", type="search", id="filter", autocomplete="off", spellcheck="false")
    published = element("input", type="checkbox", id="published", checked=True)
    return element(
        "div",
        element("label", "Filter by name ", text),
        element("label", published, " Published means") if len(kinds) > 1 else "",
        element("output", "", id="shown", for_="filter"),
        class_="filter control",
    )


def _head(board: Board) -> Markup:
    columns = [
        _heading("Rank", "95 % of bootstraps", current=True),
        _heading("Name", class_="name"),
        _heading("Score", "↑", best_first="descending", spoken="higher is better")
        if _scored(board)
        else "",
        *(_metric_heading(column) for column in board.columns),
        _heading("Added"),
        element("th", "Manifest", scope="col"),
    ]
    return element("thead", element("tr", *columns))


def _metric_heading(column: Column) -> Markup:
    weight = f"weight {short(column.weight)}" if column.weight else "not ranked"
    return _heading(
        column.name,
        f"{ARROWS[column.better]} {' · '.join(filter(None, (column.unit, weight)))}",
        best_first="descending" if column.better == "higher" else "ascending",
        spoken=direction(column),
    )


def _heading(
    title: str,
    detail: str = "",
    *,
    best_first: str = "ascending",
    spoken: str = "",
    current: bool = False,
    class_: str = "",
) -> Markup:
    small = element("small", detail, aria_hidden="true" if spoken else None) if detail else ""
    button = element("button", element("span", title), small, hidden(spoken), type="button")
    return element(
        "th",
        button,
        scope="col",
        class_=class_ or None,
        data_first=best_first,
        aria_sort="ascending" if current else "none",
    )


def _row(board: Board, row: Row, sources: tuple[str, ...]) -> Markup:
    digits = metric_decimals(board)
    score_digits = decimals(r.score for r in board.rows)
    cells = [
        _rank(row, _last_rank(board)),
        _name(row, sources),
        element("td", written(row.score, score_digits), data_key=row.score)
        if _scored(board)
        else "",
        *(_mean(board, row, column, digits[column.name]) for column in board.columns),
        element("td", row.added[:10] or NOTHING, class_="date", data_key=row.added or None),
        element("td", _manifest(board, row)),
    ]
    return element("tr", *cells, class_=row.kind, data_name=row.name)


def _rank(row: Row, last: float) -> Markup:
    if row.rank is None:
        return element("td", NOTHING, class_="place")
    parts = [element("span", short(row.rank), class_="rank")]
    if row.interval is not None:
        low, high = row.interval
        interval = f"{short(low)}-{short(high)}"
        parts += [_bar(row.rank, low, high, last), element("small", interval)]
    return element("td", *parts, class_="place", data_key=row.rank)


def _bar(rank: float, low: float, high: float, last: float) -> Markup:
    """Ranks from 1 to the last, the interval thick and the rank as a point."""

    def at(value: float) -> str:
        return f"{6 + 88 * (value - 1) / max(last - 1, 1):.1f}%"

    ends = {"y1": 6, "y2": 6}
    return element(
        "svg",
        element("line", class_="track", x1=at(1.0), x2=at(last), **ends),
        element("line", class_="span", x1=at(low), x2=at(high), **ends),
        element("line", class_="point", x1=at(rank), x2=at(rank), y1=1, y2=11),
        class_="interval",
        aria_hidden="true",
    )


def _name(row: Row, sources: tuple[str, ...]) -> Markup:
    parts = [element("bdi", row.name)]
    if row.kind == "published":
        place = f"#source-{sources.index(row.source) + 1}" if row.source else None
        chip = element("a" if place else "span", "published mean", class_="chip", href=place)
        parts += [Markup(" "), chip]
    if row.note:
        parts.append(element("small", row.note))
    return element("th", *parts, scope="row", class_="name", data_key=row.name)


def _mean(board: Board, row: Row, column: Column, digits: int) -> Markup:
    mean = row.means.get(column.name)
    text = written(mean, digits)
    if mean is not None and mean == best(board, column):
        parts = [element("strong", text), hidden(" (best)")]
    else:
        parts = [join([text])]
    if any(column.name in other.deviations for other in board.rows):
        deviation = row.deviations.get(column.name)
        spread = "" if deviation is None else f"±{written(deviation, digits)}"
        parts.append(element("small", spread, style=f"min-width:{digits + 3}ch"))
    return element("td", *parts, data_key=mean)


def _manifest(board: Board, row: Row) -> Markup:
    if not row.manifest:
        return join([NOTHING])
    number = board.rows.index(row)
    spoken = hidden(f" manifest of {row.name}")
    return element("a", "view", spoken, href=f"#manifest-{number}")


def _sources(sources: tuple[str, ...]) -> Markup:
    if not sources:
        return Markup()
    items = (
        element("li", linked(source), id=f"source-{number}")
        for number, source in enumerate(sources, 1)
    )
    return element("div", "Published means from:", element("ol", *items), class_="sources")


def _scored(board: Board) -> bool:
    return any(row.score is not None for row in board.rows)


def _last_rank(board: Board) -> float:
    ranks = [row.rank for row in board.rows if row.rank is not None]
    ends = [row.interval[1] for row in board.rows if row.interval is not None]
    return max([1.0, *ranks, *ends])
