"""The board on a terminal."""

from rich import box
from rich.table import Table
from rich.text import Text

from eval.leaderboard.board import Board, BoardRow, MetricColumn
from eval.plots.numbers import NOTHING
from eval.terminal import ARROWS
from l2r.console import table_console


def print_board(board: Board) -> None:
    """The table, the rule, and what must be known; on stdout."""
    console = table_console()
    console.print(table(board))
    for text in (f"rule {board.rule}: {board.rule_text}", *(f"note: {n}" for n in board.notes)):
        console.print(text, markup=False, highlight=False, soft_wrap=True)


def table(board: Board) -> Table:
    """One row per submission, best first, then one per published line."""
    result = Table(title=Text(f"{board.title}\nranked by {board.rule}"), box=box.SIMPLE_HEAD)
    with_published = any(row.kind == "published" for row in board.rows)
    _add_columns(result, board, with_published=with_published)
    for number, row in enumerate(board.rows):
        if number and row.kind != board.rows[number - 1].kind:
            result.add_section()
        cells = [_place(row.rank), _interval(row), row.name, _number(row.score, 3)]
        cells += [_spread(row, column.name) for column in board.columns]
        if with_published:
            cells += [_place(row.rank_by_means), row.table, _official(row)]
        result.add_row(*map(Text, cells), style="dim" if row.kind == "published" else None)
    return result


def _add_columns(result: Table, board: Board, *, with_published: bool) -> None:
    for heading in ("rank", "95 %"):
        result.add_column(heading, justify="right", vertical="bottom")
    result.add_column("name", vertical="bottom", overflow="fold")
    result.add_column("score", justify="right", vertical="bottom")
    for column in board.columns:
        result.add_column(_heading(column), justify="right", min_width=7)
    if with_published:
        result.add_column("rank by\nmeans", justify="right", vertical="bottom")
        result.add_column("published in", vertical="bottom", no_wrap=True)
        result.add_column("rank, score\nreported", justify="right", vertical="bottom")


def _heading(column: MetricColumn) -> Text:
    weight = f"weight {column.weight:.3g}" if column.weight else "not ranked"
    return Text(f"{column.name}\n{weight}\n{ARROWS[column.better]} {column.unit}".rstrip())


def _place(rank: float | None) -> str:
    return NOTHING if rank is None else f"{rank:g}"


def _interval(row: BoardRow) -> str:
    return NOTHING if row.interval is None else f"{row.interval[0]:g} to {row.interval[1]:g}"


def _spread(row: BoardRow, metric: str) -> str:
    """Mean and standard deviation over cases."""
    mean, deviation = _number(row.means.get(metric), 4), row.deviations.get(metric)
    return mean if deviation is None else f"{mean} ± {deviation:.4f}"


def _official(row: BoardRow) -> str:
    if row.kind == "submission":
        return ""
    if row.published_score is None:
        return NOTHING
    return f"{row.published_rank or NOTHING}, {row.published_score:.4g}"


def _number(value: float | None, digits: int) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}"
