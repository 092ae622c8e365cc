"""The board's box plots: every case of every submission, one plot per metric."""

from eval.leaderboard.board import Board
from eval.leaderboard.page_parts.numbers import direction, metric_decimals
from eval.plots.boxes import BoxPlot, CaseSample, box_plot
from eval.terminal import ARROWS


def box_plots(board: Board) -> list[BoxPlot]:
    """A plot of each metric that any case has a number of."""
    digits = metric_decimals(board)
    plots = []
    for column in board.columns:
        samples = [
            CaseSample(values.submission, number, values.cases)
            for number, values in enumerate(board.values)
            if values.metric == column.name
        ]
        hint = f"{ARROWS[column.better]} {direction(column)}"
        plots.append(box_plot(column.name, hint, samples, digits[column.name]))
    return [plot for plot in plots if plot is not None]
