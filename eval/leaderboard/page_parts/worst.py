"""The worst case of each submission in each metric."""

from collections import Counter
from dataclasses import dataclass

from eval.leaderboard.board import Board, CaseValues, MetricColumn
from eval.leaderboard.page_parts.numbers import metric_decimals


@dataclass(frozen=True)
class WorstCase:
    """The worst case of one submission in one metric."""

    index: int
    """Of the case in the board."""
    value: float


@dataclass(frozen=True)
class WorstCases:
    """The worst cases of all submissions that have numbers."""

    columns: list[MetricColumn]
    names: list[str]
    """Of the submissions, in the board's order."""
    cases: dict[tuple[str, str], WorstCase]
    """By submission and metric."""
    digits: dict[str, int]
    """After the point, by metric."""

    def most_often(self, column: MetricColumn) -> tuple[int, int, int]:
        """The case that is most often the worst, how often, and of how many submissions."""
        indices = [case.index for (_, metric), case in self.cases.items() if metric == column.name]
        return (*Counter(indices).most_common(1)[0], len(indices))


def worst_case(values: CaseValues, column: MetricColumn) -> WorstCase | None:
    """The worst case, the first of equals; None where no case has a number."""
    found = [WorstCase(index, n) for index, n in enumerate(values.cases) if n is not None]
    sign = 1 if column.better == "higher" else -1
    return min(found, key=lambda case: (sign * case.value, case.index), default=None)


def worst_cases(board: Board) -> WorstCases | None:
    """The worst cases; None where no case has a number."""
    cases = {}
    for column in board.columns:
        for values in board.values:
            if values.metric == column.name and (case := worst_case(values, column)):
                cases[values.submission, column.name] = case
    columns = [c for c in board.columns if any(metric == c.name for _, metric in cases)]
    with_cases = {name for name, _ in cases}
    names = [n for n in dict.fromkeys(v.submission for v in board.values) if n in with_cases]
    return WorstCases(columns, names, cases, metric_decimals(board)) if cases else None
