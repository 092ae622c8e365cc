"""Which case is the worst of each submission in each metric."""

from collections import Counter

from eval.leaderboard.board import Board, CaseValues, MetricColumn
from eval.leaderboard.page_parts.markup import Markup, element, region, section
from eval.leaderboard.page_parts.numbers import metric_decimals, written
from eval.terminal import NOTHING

EXPLANATION = (
    "Look at these first. A case that is the worst of many submissions is hard, "
    "one that is the worst of a single submission is that submission's fault."
)


def worst_case(values: CaseValues, column: MetricColumn) -> int | None:
    """Index of the worst case, the first of equals; None where no case has a number."""
    there = [(n, i) for i, n in enumerate(values.cases) if n is not None]
    sign = 1 if column.better == "higher" else -1
    return min(there, key=lambda pair: (sign * pair[0], pair[1]))[1] if there else None


def worst(board: Board) -> Markup:
    """The section; nothing where no case has a number."""
    found = {
        (values.submission, column.name): (index, values.cases[index])
        for column in board.columns
        for values in board.values
        if values.metric == column.name and (index := worst_case(values, column)) is not None
    }
    if not found:
        return Markup()
    columns = [c for c in board.columns if any(metric == c.name for _, metric in found)]
    with_cases = {name for name, _ in found}
    names = [n for n in dict.fromkeys(v.submission for v in board.values) if n in with_cases]
    digits = metric_decimals(board)
    rows = (
        element(
            "tr",
            element("th", element("bdi", name), scope="row", class_="name"),
            *(_cell(board, found.get((name, c.name)), digits[c.name]) for c in columns),
        )
        for name in names
    )
    heads = (element("th", column.name, scope="col") for column in columns)
    table = element(
        "table",
        element("caption", "Worst case of each submission", class_="spoken"),
        element(
            "thead", element("tr", element("th", "Submission", scope="col", class_="name"), *heads)
        ),
        element("tbody", *rows),
        _most_often(board, columns, found) if len(names) > 1 else "",
        class_="worst",
    )
    return section("worst", "Worst cases", EXPLANATION, region("Worst cases", table))


def _cell(board: Board, case: tuple[int, float | None] | None, digits: int) -> Markup:
    if case is None:
        return element("td", NOTHING)
    index, value = case
    return element("td", element("b", written(value, digits)), element("span", board.cases[index]))


def _most_often(
    board: Board,
    columns: list[MetricColumn],
    found: dict[tuple[str, str], tuple[int, float | None]],
) -> Markup:
    cells = []
    for column in columns:
        indices = [index for (_, metric), (index, _) in found.items() if metric == column.name]
        index, count = Counter(indices).most_common(1)[0]
        cells.append(
            element(
                "td",
                element("b", f"{count} of {len(indices)}"),
                element("span", board.cases[index]),
            )
        )
    head = element("th", "Most often", scope="row", class_="name")
    return element("tfoot", element("tr", head, *cells))
