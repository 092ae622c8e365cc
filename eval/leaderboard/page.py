"""The leaderboard as one HTML text that needs no network, no server and no library.

Tables and plots are in the text itself, so they can be read, printed and searched where scripts do
not run. The page's script sorts, filters, switches between metrics and shows single numbers, which
it takes from the board, embedded as JSON. A content security policy forbids every other script and
every request, by the script's hash.
"""

from collections import Counter
from pathlib import Path
from typing import Any

from jinja2 import Environment

from eval.html import content_policy, embedded_json, environment, shared_text, trusted
from eval.leaderboard.board import Board
from eval.leaderboard.page_parts.boxes import box_plots
from eval.leaderboard.page_parts.heat import heat_maps, label_step
from eval.leaderboard.page_parts.numbers import direction, p_value
from eval.leaderboard.page_parts.ranking_table import ranking_table, reported
from eval.leaderboard.page_parts.worst import worst_cases
from eval.plots.boxes import LANES
from eval.plots.numbers import percent, short, written
from eval.terminal import ARROWS

TEMPLATES = Path(__file__).with_name("templates")
SCRIPTS = ("table.js", "panels.js", "steps.js", "data.js")
TITLES = {
    "ranking": "Ranking",
    "cases": "Case by case",
    "structures": "Structures",
    "pairwise": "Pairwise tests",
    "worst": "Worst cases",
    "manifests": "Manifests",
}


def render(board: Board) -> str:
    """The page of a board, UTF-8 when it is written to a file.

    Args:
        board: the content; it may be empty, have published rows only, and lack numbers.
    """
    script = "\n".join([shared_text("sort.js"), *map(_text, SCRIPTS)])
    content = _content(board)
    return (
        _environment()
        .get_template("page.html")
        .render(
            board=board,
            counts=Counter(row.kind for row in board.rows),
            sections=[key for key in TITLES if content[key]],
            titles=TITLES,
            arrows=ARROWS,
            lanes=LANES,
            label_step=label_step(board),
            style=trusted(shared_text("look.css") + _text("page.css")),
            script=trusted(script),
            policy=content_policy(script),
            data=embedded_json(board.model_dump_json()),
            **content,
        )
    )


def _content(board: Board) -> dict[str, Any]:
    """The content of every section; those without any are left out of the page."""
    pairwise = [
        (number, tests) for number, tests in enumerate(board.pairwise_tests) if len(tests.names) > 1
    ]
    return {
        "ranking": ranking_table(board),
        "cases": box_plots(board),
        "structures": heat_maps(board),
        "pairwise": pairwise,
        "worst": worst_cases(board),
        "manifests": any(row.manifest for row in board.rows),
    }


def _environment() -> Environment:
    made = environment(TEMPLATES)
    for function in (
        direction,
        p_value,
        percent,
        short,
        written,
        reported,
        moment,
        file_name,
    ):
        made.filters[function.__name__] = function
    return made


def moment(iso: str) -> str:
    """Date and minute of an ISO time.

    Example:
        >>> moment("2026-03-04T05:06:07+00:00")
        '2026-03-04 05:06 UTC'
    """
    date, _, time = iso.partition("T")
    return f"{date} {time[:5]} UTC" if time else iso


def file_name(name: str) -> str:
    """A name of a submission without what a file's name should not have."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")
