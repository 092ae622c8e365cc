"""The page as text: what it holds, and that no name can break it."""

import base64
import hashlib
import json
import re
from collections import Counter
from html.parser import HTMLParser

import pytest

from eval.leaderboard.board import Board, BoardRow, PairwiseTests
from eval.leaderboard.page import TEMPLATES, render
from tests.eval.leaderboard.page.boards import COLUMNS, NASTY, lumir_board, nasty_board


class Page(HTMLParser):
    """Elements with their attributes, and the text in each of them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.opened: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self._last = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.append((tag, dict(attrs)))
        self._last = tag

    def handle_data(self, data: str) -> None:
        (self.scripts if self._last == "script" else self.texts).append(data)
        self._last = ""

    def count(self, name: str) -> int:
        return Counter(tag for tag, _ in self.opened)[name]

    def sections(self) -> list[str | None]:
        return [attributes["id"] for tag, attributes in self.opened if tag == "section"]

    def board(self) -> Board:
        return Board.model_validate_json(self.scripts[0])


@pytest.fixture(scope="module")
def board() -> Board:
    return lumir_board(5)


def test_every_section_is_there(board: Board) -> None:
    page = Page(render(board))
    expected = ["ranking", "cases", "structures", "pairwise", "worst", "manifests"]
    assert page.sections() == expected


def test_the_embedded_json_is_the_board(board: Board) -> None:
    assert Page(render(board)).board() == board


def test_the_same_board_gives_the_same_page(board: Board) -> None:
    assert render(board) == render(board)


def test_names_cannot_break_out() -> None:
    board = nasty_board()
    page = Page(render(board))
    assert page.board() == board
    assert page.count("script") == 2
    assert page.count("img") == 0
    assert not [a for _, a in page.opened for name in a if name.startswith("on")]
    assert set(NASTY) <= set(page.texts)


def test_only_the_pages_own_script_may_run(board: Board) -> None:
    page = Page(render(board))
    policy = next(
        a["content"] for _, a in page.opened if a.get("http-equiv") == "Content-Security-Policy"
    )
    digest = base64.b64encode(hashlib.sha256(page.scripts[1].encode()).digest()).decode()
    assert policy is not None
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}';" in policy


def test_nothing_is_loaded_from_elsewhere() -> None:
    page = Page(render(lumir_board(3)))
    loading = {"src", "srcset", "data", "poster", "action", "xlink:href"}
    assert not [name for _, a in page.opened for name in a if name in loading]
    hrefs = [a["href"] or "" for tag, a in page.opened if tag == "link"]
    assert hrefs == ["data:,"]
    assert not re.search(r"@import|url\(", (TEMPLATES / "page.css").read_text())


@pytest.mark.parametrize("teams", [0, 1, 2])
@pytest.mark.parametrize("published", [True, False])
def test_few_rows_give_only_the_sections_that_they_fill(teams: int, published: bool) -> None:
    page = Page(render(lumir_board(teams, published=published)))
    comparing = ["pairwise"] if teams > 1 else []
    with_cases = ["cases", "structures", *comparing, "worst", "manifests"] if teams else []
    assert page.sections() == ["ranking", *with_cases]
    assert ("No submission yet" in "".join(page.texts)) == (not teams and not published)


def test_every_number_may_be_missing() -> None:
    board = lumir_board(3)
    nothing = dict.fromkeys((column.name for column in COLUMNS), None)
    bare = board.model_copy(
        update={
            "rows": (BoardRow(name="bare", kind="submission", rank=None, means=nothing),),
            "values": tuple(
                v.model_copy(
                    update={"cases": (None,) * len(v.cases), "labels": (None,) * len(v.labels)}
                )
                for v in board.values
            ),
            "pairwise_tests": tuple(
                d.model_copy(
                    update={
                        "p_values": ((None,) * 3,) * 3,
                        "wins": ((False,) * 3,) * 3,
                    }
                )
                for d in board.pairwise_tests
            ),
        }
    )
    page = Page(render(bare))
    assert page.sections() == ["ranking", "pairwise"]
    assert "nan" not in "".join(page.texts).lower().split()


def test_a_metric_that_a_row_lacks_is_a_dash(board: Board) -> None:
    first = board.rows[0].model_copy(update={"means": {}, "deviations": {}})
    text = render(board.model_copy(update={"rows": (first, *board.rows[1:])}))
    row = text[text.index("<tbody>") :].partition("</tr>")[0]
    assert row.count("<td>-<small") == len(COLUMNS)


def test_the_best_of_a_column_is_marked_in_words(board: Board) -> None:
    best = max(row.means["DSC"] or 0 for row in board.rows)
    text = render(board)
    assert f'<strong>{best:.4f}</strong><span class="spoken"> (best)</span>' in text


def test_a_published_row_says_so_and_where_it_is_from(board: Board) -> None:
    text = render(board)
    published = [row for row in board.rows if row.kind == "published"]
    assert text.count(">published mean</a>") == len(published) > 0
    assert '<li id="source-1">' in text


def test_the_matrix_reads_row_beats_column() -> None:
    made = PairwiseTests(
        metric="DSC",
        names=("a", "b"),
        p_values=((None, 0.01), (0.99, None)),
        wins=((False, True), (False, False)),
    )
    text = render(lumir_board(2).model_copy(update={"pairwise_tests": (made,)}))
    first, second = text.partition('class="pairwise"')[2].split("<tr")[2:4]
    assert "<b>.010</b>" in first
    assert ">.990<" in second
    assert "<b>" not in second


def test_where_a_team_would_stand_among_the_published(board: Board) -> None:
    assert "By means" not in render(board)
    rows = tuple(
        row.model_copy(update={"rank_by_means": place + 0.5})
        for place, row in enumerate(board.rows)
    )
    text = render(board.model_copy(update={"rows": rows}))
    assert text.count("<span>By means</span>") == 1
    assert '<td data-key="2.5">2.5</td>' in text


def test_a_published_score_without_means_does_not_call_itself_a_mean(board: Board) -> None:
    reported = BoardRow(
        name="team", kind="published", rank=None, means={}, published_rank=3, published_score=0.9882
    )
    text = render(board.model_copy(update={"rows": (reported,)}))
    assert '<span class="chip">published</span>' in text
    assert "<small>rank 3, score 0.9882 as published</small>" in text


def test_worst_cases_keep_the_boards_order(board: Board) -> None:
    first = next(row.name for row in board.rows if row.kind == "submission")
    without = tuple(
        v.model_copy(update={"cases": (None,) * len(v.cases)})
        if (v.submission, v.metric) == (first, COLUMNS[0].name)
        else v
        for v in board.values
    )
    text = render(board.model_copy(update={"values": without})).partition('class="worst"')[2]
    body = text.partition("<tbody>")[2]
    assert body.startswith(f'<tr><th scope="row" class="name"><bdi>{first}</bdi></th><td>-</td>')


@pytest.mark.slow
def test_a_page_of_thirty_submissions_stays_small() -> None:
    text = render(lumir_board(30))
    assert len(text.encode()) < 1_500_000
    assert json.loads(Page(text).scripts[0])["task"] == "lumir24"
