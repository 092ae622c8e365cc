"""Who beats whom, one matrix per metric."""

from eval.leaderboard.board import Board, PairwiseTests
from eval.leaderboard.page_parts.markup import (
    Markup,
    element,
    hidden,
    panel,
    region,
    section,
    switch,
)
from eval.leaderboard.page_parts.numbers import p_value

EXPLANATION = (
    "p-value of the rule's test whether the submission of a row is better than that of a column. "
    "Bold on a filled and underlined cell: by the rule it wins."
)


def duels(board: Board) -> Markup:
    """The section; nothing where no two submissions were compared."""
    compared = [matrix for matrix in board.pairwise_tests if len(matrix.names) > 1]
    if not compared:
        return Markup()
    panels = (
        panel("duels", number, _matrix(board, matrix)) for number, matrix in enumerate(compared)
    )
    names = (matrix.metric for matrix in compared)
    tools = element("div", switch("duels", names), class_="tools control")
    return section("duels", "Who beats whom", EXPLANATION, tools, *panels)


def _matrix(board: Board, matrix: PairwiseTests) -> Markup:
    caption = element("caption", element("strong", matrix.metric), element("small", " p-values"))
    corner = element("th", "Row beats column", scope="col", class_="name")
    total = element("th", "Wins", scope="col", class_="wins")
    heads = (element("th", element("span", name), scope="col") for name in matrix.names)
    rows = (_row(matrix, i) for i in range(len(matrix.names)))
    table = element(
        "table",
        caption,
        element("thead", element("tr", corner, total, *heads)),
        element("tbody", *rows),
        class_="duels",
        data_steps=True,
        data_duels=board.pairwise_tests.index(matrix),
        style=f"--names:{len(matrix.names)}",
    )
    return region(f"Who beats whom in {matrix.metric}, scrolls sideways", table)


def _row(matrix: PairwiseTests, i: int) -> Markup:
    cells = (_cell(matrix, i, j) for j in range(len(matrix.names)))
    name = element("th", element("bdi", matrix.names[i]), scope="row", class_="name")
    wins = element("td", str(sum(matrix.wins[i])), class_="wins")
    return element("tr", name, wins, *cells, data_step_row=True)


def _cell(matrix: PairwiseTests, i: int, j: int) -> Markup:
    if i == j:
        return element("td", hidden("itself"), class_="self")
    text = p_value(matrix.p_values[i][j])
    if matrix.wins[i][j]:
        return element("td", element("b", text), hidden(" wins"), class_="win", data_duel=j)
    return element("td", text, data_duel=j)
