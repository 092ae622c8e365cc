"""Who can read the page: any colour scheme, screen, paper, keyboard, and without script."""

from pathlib import Path

import pytest
from selenium.webdriver import ActionChains, Keys

from eval.leaderboard.board import Board
from tests.eval.leaderboard.page.boards import lumir_board
from tests.eval.leaderboard.page.browser import Browser, Show
from tests.eval.leaderboard.waiting import eventually

pytestmark = pytest.mark.browser
AUDIT = Path(__file__).with_name("audit.js")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("teams", [0, 1, 6])
def test_everyone_can_read_it(browser: Browser, show: Show, scheme: str, teams: int) -> None:
    show(lumir_board(teams))
    browser.emulate(prefers_color_scheme=scheme)
    for details in browser.all("details"):
        browser.run("arguments[0].open = true", details)
    found = browser.run(AUDIT.read_text())
    assert found["faults"] == []
    assert found["texts"] > (20 if teams == 0 else 200)


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("teams", [0, 1, 30])
def test_the_page_itself_never_scrolls_sideways(
    browser: Browser, show: Show, width: int, teams: int
) -> None:
    show(lumir_board(teams))
    browser.emulate(width)
    assert browser.run("return document.documentElement.scrollWidth") <= width


def test_a_wide_table_scrolls_by_the_keyboard(browser: Browser, show: Show, board: Board) -> None:
    show(board)
    browser.emulate(390)
    region = browser.one(".scroll:has(.ranking)")
    browser.run("arguments[0].focus()", region)
    ActionChains(browser).send_keys(*[Keys.ARROW_RIGHT] * 5).perform()
    eventually(lambda: browser.run("return arguments[0].scrollLeft", region) > 0)
    left = browser.run("return arguments[0].getBoundingClientRect().left", region)
    name = browser.one(".ranking tbody th")
    assert browser.run("return arguments[0].getBoundingClientRect().left", name) >= left


def test_print_shows_every_metric_and_no_controls(
    browser: Browser, show: Show, board: Board
) -> None:
    show(board)
    browser.emulate(media="print")
    assert all(t.is_displayed() for t in (*browser.all(".pairwise"), *browser.all(".heat")))
    assert not any(c.is_displayed() for c in browser.all(".control, nav"))


def test_who_prefers_no_motion_gets_none(browser: Browser, show: Show, board: Board) -> None:
    show(board)
    smooth = "return getComputedStyle(document.documentElement).scrollBehavior"
    browser.emulate(prefers_reduced_motion="no-preference")
    assert browser.run(smooth) == "smooth"
    browser.emulate(prefers_reduced_motion="reduce")
    assert browser.run(smooth) == "auto"


def test_without_script_the_tables_are_there_and_no_dead_controls(
    browser: Browser, show: Show, board: Board
) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show(board)
        assert all(t.is_displayed() for t in (*browser.all(".pairwise"), *browser.all(".heat")))
        assert not any(c.is_displayed() for c in browser.all(".control"))
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
