"""The page in a real Chromium: offline, by mouse and keyboard, light and dark, wide and narrow.

Needs Debian's packages chromium and chromium-driver.
"""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By

from eval.leaderboard.board import Board
from eval.leaderboard.page import render
from eval.leaderboard.serve import listen
from tests.eval.leaderboard.browser import CHROMIUM, DRIVER, Browser, chromium
from tests.eval.leaderboard.page_boards import NASTY, lumir_board, nasty_board

AUDIT = Path(__file__).with_name("audit.js")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM.exists() and DRIVER.exists()),
        reason=f"{CHROMIUM} or {DRIVER} is missing: apt-get install chromium chromium-driver",
    ),
]
Show = Callable[[Board], None]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Show]:
    """Opens a board's page from a file; afterwards Chromium must not have complained."""

    def opened(board: Board) -> None:
        path = tmp_path / "leaderboard.html"
        path.write_text(render(board), encoding="utf-8")
        browser.emulate()
        browser.get_log("performance")
        browser.get(path.as_uri())

    yield opened
    assert browser.get_log("browser") == []


@pytest.fixture(scope="module")
def board() -> Board:
    return lumir_board(6)


def test_it_loads_offline_and_asks_for_nothing(browser: Browser, show: Show, board: Board) -> None:
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
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
        head = browser.one(f".standings thead th:nth-child({column + 1})")
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
    browser.one(".standings thead button").click()
    assert browser.names() == [row.name for row in board.rows], "by rank, as the board has them"
    others = [h.get_attribute("aria-sort") for h in browser.all(".standings [aria-sort]")]
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
    button = browser.one(".standings thead th:nth-child(3) button")
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
    for number, duels in enumerate(board.duels):
        browser.one(f"[data-switch=duels] label:nth-of-type({number + 1})").click()
        tables = [t for t in browser.all(".duels") if t.is_displayed()]
        assert len(tables) == 1
        rows = tables[0].find_elements(By.CSS_SELECTOR, "tbody tr")
        for i, row in enumerate(rows):
            name, wins, *cells = row.find_elements(By.CSS_SELECTOR, "th, td")
            assert (name.text, int(wins.text)) == (duels.names[i], sum(duels.wins[i]))
            for j, cell in enumerate(cells):
                p = duels.p_values[i][j]
                assert ("win" in (cell.get_attribute("class") or "")) == duels.wins[i][j]
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


def test_the_pointer_shows_a_duel(browser: Browser, show: Show, board: Board) -> None:
    show(board)
    cell = browser.one(".duels td.win")
    ActionChains(browser).move_to_element(cell).perform()
    row = cell.find_element(By.XPATH, "..").find_element(By.TAG_NAME, "th").text
    assert browser.tip().startswith(f"{row} beats ")


def test_manifests_open_by_their_link_and_can_be_kept(
    browser: Browser, show: Show, board: Board, tmp_path: Path
) -> None:
    show(board)
    place = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", place)
    row = next(row for row in board.rows if row.manifest)
    browser.run("arguments[0].click()", browser.one(".standings a[href^='#manifest']"))
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
    region = browser.one(".scroll:has(.standings)")
    browser.run("arguments[0].focus()", region)
    ActionChains(browser).send_keys(*[Keys.ARROW_RIGHT] * 5).perform()
    eventually(lambda: browser.run("return arguments[0].scrollLeft", region) > 0)
    left = browser.run("return arguments[0].getBoundingClientRect().left", region)
    name = browser.one(".standings tbody th")
    assert browser.run("return arguments[0].getBoundingClientRect().left", name) >= left


def test_print_shows_every_metric_and_no_controls(
    browser: Browser, show: Show, board: Board
) -> None:
    show(board)
    browser.emulate(media="print")
    assert all(t.is_displayed() for t in (*browser.all(".duels"), *browser.all(".heat")))
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
        assert all(t.is_displayed() for t in (*browser.all(".duels"), *browser.all(".heat")))
        assert not any(c.is_displayed() for c in browser.all(".control"))
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_the_served_page_complains_of_nothing(browser: Browser, board: Board) -> None:
    conditions = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", conditions)
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


def eventually(happened: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
