"""The page in Chromium: loading offline, sorting, filtering, manifests, hostile names."""

import json
from pathlib import Path
from threading import Thread

import pytest
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By

from eval.leaderboard.board import Board
from eval.leaderboard.serve import listen
from tests.eval.leaderboard.page.boards import NASTY, nasty_board
from tests.eval.leaderboard.page.browser import Browser, Show
from tests.eval.leaderboard.waiting import eventually

pytestmark = pytest.mark.browser


def test_it_loads_offline_and_asks_for_nothing(browser: Browser, show: Show, board: Board) -> None:
    show(board)
    assert browser.one("h1").text == board.title
    assert browser.names() == [row.name for row in board.rows]
    messages = [json.loads(e["message"])["message"] for e in browser.get_log("performance")]
    asked = [
        m["params"]["request"]["url"]
        for m in messages
        if m["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in asked if not url.startswith("data:")] == [browser.current_url]


def test_a_click_sorts_the_better_end_first_and_a_second_turns_it(
    browser: Browser, show: Show, board: Board
) -> None:
    show(board)
    for column, name in ((4, "DSC"), (3, "TRE_lm")):
        head = browser.one(f".ranking thead th:nth-child({column + 1})")
        assert head.text.startswith(name)
        means = {row.name: row.means[name] or 0.0 for row in board.rows}
        better = sorted(means.values(), reverse=name == "DSC")
        head.find_element(By.TAG_NAME, "button").click()
        assert [means[n] for n in browser.names()] == better
        first = head.get_attribute("aria-sort")
        assert first == ("descending" if name == "DSC" else "ascending")
        head.find_element(By.TAG_NAME, "button").click()
        assert [means[n] for n in browser.names()] == better[::-1]
        assert {first, head.get_attribute("aria-sort")} == {"ascending", "descending"}
    browser.one(".ranking thead button").click()
    assert browser.names() == [row.name for row in board.rows], "by rank, as the board has them"
    others = [h.get_attribute("aria-sort") for h in browser.all(".ranking [aria-sort]")]
    assert sorted(others) == ["ascending", *["none"] * (len(others) - 1)]


def test_the_keyboard_sorts_and_its_focus_is_seen(
    browser: Browser, show: Show, board: Board
) -> None:
    show(board)
    browser.one("#published").click()
    browser.run("document.activeElement.blur(); document.querySelector('#published').focus()")
    keys = ActionChains(browser)
    keys.send_keys(Keys.TAB, Keys.TAB, Keys.TAB)  # the table's region, rank, name
    keys.send_keys(Keys.ENTER).perform()
    submissions = [row.name for row in board.rows if row.kind == "submission"]
    assert browser.names() == sorted(submissions)
    focused = browser.switch_to.active_element
    assert focused.text == "Name"
    outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    focused.send_keys(Keys.SPACE)
    assert browser.names() == sorted(submissions, reverse=True)


def test_rows_without_a_number_stay_last(browser: Browser, show: Show, board: Board) -> None:
    show(board)
    published = {row.name for row in board.rows if row.kind == "published"}
    button = browser.one(".ranking thead th:nth-child(3) button")
    assert button.text.startswith("Score")
    for _ in range(2):
        button.click()
        assert set(browser.names()[-len(published) :]) == published


def test_the_filter_goes_by_name_and_kind(browser: Browser, show: Show, board: Board) -> None:
    show(board)
    browser.one("#filter").send_keys("ö")
    assert browser.names() == ["Föhn"]
    assert browser.one("#shown").text == f"1 of {len(board.rows)} rows"
    browser.one("#filter").send_keys("x")
    assert browser.names() == []
    assert browser.one("#nothing").is_displayed()
    browser.one("#filter").send_keys(Keys.BACKSPACE, Keys.BACKSPACE)
    assert browser.one("#shown").text == ""
    browser.one("#published").click()
    assert browser.names() == [row.name for row in board.rows if row.kind == "submission"]


def test_manifests_open_by_their_link_and_can_be_kept(
    browser: Browser, show: Show, board: Board, tmp_path: Path
) -> None:
    show(board)
    place = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", place)
    row = next(row for row in board.rows if row.manifest)
    browser.run("arguments[0].click()", browser.one(".ranking a[href^='#manifest']"))
    eventually(lambda: browser.one("details[open] pre").is_displayed())
    assert browser.one("details[open] pre").text == row.manifest
    browser.one("details[open] a[download]").click()
    kept = tmp_path / f"{row.name}.manifest.json"
    eventually(kept.exists)
    assert kept.read_text() == row.manifest
    browser.one("#save").click()
    saved = tmp_path / "lumir24.leaderboard.json"
    eventually(saved.exists)
    assert Board.model_validate_json(saved.read_text()) == board


def test_injected_markup_is_inert(browser: Browser, show: Show) -> None:
    show(nasty_board())
    assert set(browser.names()) == set(NASTY)
    for mark in (*browser.all(".boxes circle")[:1], *browser.all(".heat td")[:1]):
        browser.run("arguments[0].focus()", mark)
        assert any(browser.tip().startswith(name.split("\u2028")[0]) for name in NASTY)
    assert browser.run("return window.broken") is None
    assert browser.run("return document.scripts.length") == 2
    assert browser.all("img") == []


def test_the_served_page_complains_of_nothing(browser: Browser, board: Board) -> None:
    browser.connect(online=True)
    with listen(lambda: board, 0) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            browser.get(f"http://127.0.0.1:{server.server_port}/")
            assert browser.names() == [row.name for row in board.rows]
        finally:
            server.shutdown()
            thread.join()
    assert browser.get_log("browser") == []
