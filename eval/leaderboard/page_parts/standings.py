"""The table of all rows, with its filter; `row.py` has what stands in one of them."""

from collections.abc import Iterator

from eval.leaderboard.board import Board, MetricColumn
from eval.leaderboard.page_parts.markup import Markup, element, hidden, linked, region, section
from eval.leaderboard.page_parts.numbers import direction, short
from eval.leaderboard.page_parts.row import Frame, frame_of, table_row
from eval.terminal import ARROWS

KEY, TITLE = "standings", "Standings"
NOBODY = "No submission yet: `python -m eval leaderboard add` adds one."
MEANS = "Mean over cases ± standard deviation. Bold and underlined: the best mean of a column."
INTERVALS = " The bar beside a rank is where 95 % of the bootstraps put it."


def standings(board: Board) -> Markup:
    """The section."""
    if not board.rows:
        return section(KEY, TITLE, "Best first.", element("p", NOBODY, class_="empty"))
    frame = frame_of(board)
    body = element("tbody", *(table_row(row, frame) for row in board.rows))
    caption = element("caption", "Submissions, best first", class_="spoken")
    head = element("thead", element("tr", *_headings(board, frame)))
    table = element("table", caption, head, body, class_="standings", data_sortable=True)
    return section(
        KEY,
        TITLE,
        MEANS + (INTERVALS if frame.intervals else ""),
        _filter(board),
        region("Standings, scrolls sideways", table),
        element("p", "No row fits the filter.", class_="empty", id="nothing", hidden=True),
        _sources(frame.sources),
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


def _headings(board: Board, frame: Frame) -> Iterator[Markup]:
    """In the order of the cells of `table_row`."""
    yield _heading("Rank", "95 % of bootstraps" if frame.intervals else "", current=True)
    yield _heading("Name", name=True)
    if frame.scored:
        yield _heading("Score", "↑", first="descending", spoken="higher is better")
    if frame.by_means:
        yield _heading("By means", "rank, no test")
    yield from map(_metric_heading, board.columns)
    if frame.dated:
        yield _heading("Added")
    if frame.manifests:
        yield element("th", "Manifest", scope="col")


def _metric_heading(column: MetricColumn) -> Markup:
    weight = f"weight {short(column.weight)}" if column.weight else "not ranked"
    return _heading(
        column.name,
        f"{ARROWS[column.better]} {' · '.join(filter(None, (column.unit, weight)))}",
        first="descending" if column.better == "higher" else "ascending",
        spoken=f"{direction(column)}, {weight}",
    )


def _heading(
    title: str,
    detail: str = "",
    *,
    first: str = "ascending",
    spoken: str = "",
    current: bool = False,
    name: bool = False,
) -> Markup:
    """A heading that sorts.

    Args:
        title: of the column.
        detail: below it, small.
        first: the order that puts the better end first.
        spoken: instead of the detail for those who listen, where it is made of signs.
        current: whether the table is sorted by this column.
        name: whether the column stays in sight when the table scrolls.
    """
    small = element("small", detail, aria_hidden="true" if spoken else None) if detail else ""
    aside = hidden(f" {spoken}") if spoken else ""
    return element(
        "th",
        element("button", element("span", title), small, aside, type="button"),
        scope="col",
        class_="name" if name else None,
        data_first=first,
        aria_sort="ascending" if current else "none",
    )


def _sources(sources: tuple[str, ...]) -> Markup:
    if not sources:
        return Markup()
    items = (
        element("li", linked(source), id=f"source-{number}")
        for number, source in enumerate(sources, 1)
    )
    return element("div", "Published means from:", element("ol", *items), class_="sources")
