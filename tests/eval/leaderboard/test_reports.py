"""Links from a board's page to the reports of its submissions."""

from pathlib import Path

import pytest

from eval.leaderboard.page import render
from eval.leaderboard.reports import with_reports
from l2r.errors import LeaderboardError
from tests.eval.leaderboard.page.boards import lumir_board


def report(folder: Path, name: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "index.html").write_text("a report")


def test_submissions_with_a_report_are_linked_relative_to_the_page(tmp_path: Path) -> None:
    board = lumir_board(3)
    first = next(row.name for row in board.rows if row.kind == "submission")
    report(tmp_path / "reports", first)
    linked = with_reports(board, tmp_path / "reports", tmp_path / "pages" / "board.html")
    addresses = {row.name: row.report for row in linked.rows if row.report}
    assert list(addresses) == [first]
    assert addresses[first].startswith("../reports/")
    assert addresses[first].endswith("/index.html")
    assert f'<a href="{addresses[first]}">open' in render(linked)


def test_a_board_without_reports_has_no_column_for_them() -> None:
    assert ">Report</th>" not in render(lumir_board(3))


def test_published_rows_have_no_report(tmp_path: Path) -> None:
    board = lumir_board(1)
    for row in board.rows:
        if row.kind == "published" and row.name.isalnum():
            report(tmp_path, row.name)
    linked = with_reports(board, tmp_path, tmp_path / "board.html")
    assert not [row for row in linked.rows if row.report]


def test_a_name_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    board = lumir_board(1, published=False)
    sly = board.model_copy(
        update={"rows": tuple(row.model_copy(update={"name": "../x"}) for row in board.rows)}
    )
    report(tmp_path, "x")
    (tmp_path / "reports").mkdir()
    linked = with_reports(sly, tmp_path / "reports", tmp_path / "board.html")
    assert not linked.rows[0].report


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LeaderboardError, match="nowhere: no such folder"):
        with_reports(lumir_board(1), tmp_path / "nowhere", tmp_path / "board.html")
