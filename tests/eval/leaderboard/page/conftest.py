"""One Chromium for all tests of the page, and boards to show in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from eval.leaderboard.board import Board
from eval.leaderboard.page import render
from tests.eval.leaderboard.page.boards import lumir_board
from tests.eval.leaderboard.page.browser import CHROMIUM, DRIVER, Browser, Show, chromium


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium, where Debian's packages of it are installed."""
    for path in (CHROMIUM, DRIVER):
        if not path.exists():
            pytest.skip(f"{path} is missing: apt-get install chromium chromium-driver")
    with chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Show]:
    """Opens a board's page from a file, offline; afterwards Chromium must not have complained."""

    def opened(board: Board) -> None:
        path = tmp_path / "leaderboard.html"
        path.write_text(render(board), encoding="utf-8")
        browser.emulate()
        browser.connect(online=False)
        browser.get_log("performance")
        browser.get(path.as_uri())

    yield opened
    assert browser.get_log("browser") == []


@pytest.fixture(scope="session")
def board() -> Board:
    return lumir_board(6)
