"""The page's plots in Chromium: their numbers, by eye, pointer and keyboard."""

import pytest
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By

from eval.leaderboard.board import Board
from tests.eval.leaderboard.page.browser import Browser, Show

pytestmark = pytest.mark.browser


def test_the_heat_map_has_the_boards_numbers(browser: Browser, show: Show, board: Board) -> None:
    show(board)
    cells = (
        "return [...document.querySelectorAll('.heat')].map(t => [...t.tBodies[0].rows].map("
        "r => [...r.cells].slice(1).map(c => c.textContent)))"
    )
    dice, hd95 = browser.run(cells)
    for shown, metric in ((dice, "DSC"), (hd95, "HD95")):
        expected = [v.labels for v in board.values if v.metric == metric]
        decimals = len(shown[0][0].partition(".")[2])
        assert shown == [[f"{n:.{decimals}f}" for n in row] for row in expected]
    assert [m.is_displayed() for m in browser.all(".heat")] == [True, False]
    browser.one("[data-switch=heat] label:nth-of-type(2)").click()
    assert [m.is_displayed() for m in browser.all(".heat")] == [False, True]


def test_colours_of_the_heat_map_follow_the_numbers(
    browser: Browser, show: Show, board: Board
) -> None:
    show(board)
    labels = next(v.labels for v in board.values if v.metric == "DSC")
    order = sorted(range(len(labels)), key=lambda i: labels[i] or 0)
    lightness = browser.run(
        "return [...document.querySelector('.heat').tBodies[0].rows[0].cells].slice(1).map("
        "c => +getComputedStyle(c).backgroundColor.match(/[0-9.]+/)[0])"
    )
    ordered = [lightness[i] for i in order]
    assert ordered == sorted(ordered, reverse=True)
    assert ordered[0] - ordered[-1] > 0.4
    before = browser.run("return getComputedStyle(document.querySelector('.heat td')).background")
    browser.one("#against").click()
    after = browser.run("return getComputedStyle(document.querySelector('.heat td')).background")
    assert before != after
    assert browser.one(".by-difference").is_displayed()


def test_the_matrix_has_the_boards_p_values_and_wins(
    browser: Browser, show: Show, board: Board
) -> None:
    show(board)
    for number, tests in enumerate(board.pairwise_tests):
        browser.one(f"[data-switch=pairwise] label:nth-of-type({number + 1})").click()
        tables = [t for t in browser.all(".pairwise") if t.is_displayed()]
        assert len(tables) == 1
        rows = tables[0].find_elements(By.CSS_SELECTOR, "tbody tr")
        for i, row in enumerate(rows):
            name, wins, *cells = row.find_elements(By.CSS_SELECTOR, "th, td")
            assert (name.text, int(wins.text)) == (tests.names[i], sum(tests.wins[i]))
            for j, cell in enumerate(cells):
                p = tests.p_values[i][j]
                assert ("win" in (cell.get_attribute("class") or "")) == tests.wins[i][j]
                if p is not None:
                    shown = cell.text.split()[0]
                    assert (p < 0.001) if shown == "<.001" else abs(float(shown) - p) < 0.0006


def test_arrow_keys_walk_through_the_map(browser: Browser, show: Show, board: Board) -> None:
    show(board)
    assert len(browser.all(".heat [tabindex='0']")) == 2, "each map is one stop of the tab key"
    browser.run("document.querySelector('.heat td').focus()")
    ActionChains(browser).send_keys(Keys.ARROW_DOWN, Keys.ARROW_RIGHT).perform()
    second = [v for v in board.values if v.metric == "DSC"][1]
    number = f"{second.labels[1]:.5g}".rstrip("0")
    assert browser.tip() == f"{second.submission}, structure {board.labels[1]}: {number}"
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    assert not browser.one("#tip").is_displayed()


def test_arrow_keys_walk_through_the_cases_by_value(
    browser: Browser, show: Show, board: Board
) -> None:
    show(board)
    first = next(v for v in board.values if v.metric == "TRE_lm")
    cases = sorted((n, board.cases[i]) for i, n in enumerate(first.cases) if n is not None)
    browser.run("document.querySelector('.boxes circle').focus()")
    ActionChains(browser).send_keys(Keys.HOME).perform()
    for number, case in cases[:3]:
        assert browser.tip() == f"{first.submission}, {case}: {f'{number:.5g}'.rstrip('0')}"
        ActionChains(browser).send_keys(Keys.ARROW_RIGHT).perform()


def test_the_pointer_shows_a_pairwise_test(browser: Browser, show: Show, board: Board) -> None:
    show(board)
    cell = browser.one(".pairwise td.win")
    ActionChains(browser).move_to_element(cell).perform()
    row = cell.find_element(By.XPATH, "..").find_element(By.TAG_NAME, "th").text
    assert browser.tip().startswith(f"{row} beats ")
