"""Links from a board's page to the reports of its submissions, which lie in a folder."""

import os
from pathlib import Path
from urllib.parse import quote

from eval.leaderboard.board import Board
from eval.leaderboard.page import file_name
from l2r.errors import LeaderboardError

INDEX = "index.html"


def with_reports(board: Board, reports: Path, page: Path) -> Board:
    """The board with an address for every submission that has a report.

    Args:
        board: to be shown.
        reports: folder of reports, each in a folder of the submission's name.
        page: the file that the board will be written to; addresses are relative to it.

    Raises:
        LeaderboardError: there is no such folder.
    """
    if not reports.is_dir():
        raise LeaderboardError(f"{reports}: no such folder; give one with a report a submission")
    rows = []
    for row in board.rows:
        index = reports / file_name(row.name) / INDEX
        if row.kind == "submission" and index.is_file():
            address = Path(os.path.relpath(index, page.parent)).as_posix()
            rows.append(row.model_copy(update={"report": quote(address)}))
        else:
            rows.append(row)
    return board.model_copy(update={"rows": tuple(rows)})
