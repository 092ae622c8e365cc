"""A report in a real Chromium: from a file, without a network, by keyboard, on a phone."""

import json
import subprocess
import tarfile
import time
from collections.abc import Iterator

import pytest
from selenium.webdriver import ActionChains, Keys

from tests.eval.inspection.conftest import MakeReport, Report
from tests.eval.leaderboard.page.browser import CHROMIUM, DRIVER, WITH_WEBGL, Browser, chromium

AXE = "axe-core@4.14.1"
PATIENCE_S = 60
"""For the viewer, whose WebGL runs on the processor here."""

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium with WebGL, where Debian's packages of it are installed."""
    for path in (CHROMIUM, DRIVER):
        if not path.exists():
            pytest.skip(f"{path} is missing: apt-get install chromium chromium-driver")
    with chromium(tmp_path_factory.mktemp("profile"), WITH_WEBGL) as started:
        yield started


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core, from npm."""
    folder = tmp_path_factory.mktemp("axe")
    try:
        subprocess.run(
            ["npm", "pack", "--silent", AXE], cwd=folder, check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"{AXE} cannot be had from npm")
    (packed,) = folder.glob("*.tgz")
    with tarfile.open(packed) as archive:
        member = archive.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()


@pytest.fixture
def report(make: MakeReport, browser: Browser) -> Iterator[Report]:
    """A report; Chromium must not complain of it."""
    made = make().report
    browser.emulate(1600, prefers_color_scheme="light")
    browser.connect(online=False)
    browser.get_log("performance")
    yield made
    assert browser.get_log("browser") == []


def show(browser: Browser, report: Report, name: str) -> None:
    browser.get((report.folder / name).resolve().as_uri())


def open_viewer(browser: Browser) -> None:
    browser.one("#open").click()
    deadline = time.monotonic() + PATIENCE_S
    while "Loading" in browser.one("#viewer-state").text and time.monotonic() < deadline:
        time.sleep(0.1)


def requested(browser: Browser) -> list[str]:
    """Addresses that were asked for since the log was last read."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [e["params"] for e in events if e["method"] == "Network.requestWillBeSent"]
    return [params["request"]["url"] for params in sent]


def test_nothing_but_files_is_asked_for(browser: Browser, report: Report) -> None:
    show(browser, report, "index.html")
    browser.one(".pairs a").click()
    open_viewer(browser)
    assert browser.one("#viewer-state").text == ""
    asked = requested(browser)
    assert {url.split(":")[0] for url in asked} <= {"file", "data", "blob"}
    assert sum(url.endswith("niivue.js") for url in asked) == 1


def test_a_pair_loads_its_volumes_only_when_the_viewer_is_opened(
    browser: Browser, report: Report
) -> None:
    show(browser, report, "assets/pair-0001.html")
    files = [url.rsplit("/", 1)[1] for url in requested(browser) if url.startswith("file")]
    assert files == ["pair-0001.html"]


def test_the_viewer_shows_volumes_and_one_crosshair(browser: Browser, report: Report) -> None:
    show(browser, report, "assets/pair-0001.html")
    open_viewer(browser)
    assert browser.run("return pairViewer.volumes.length") == 6
    browser.one("#canvas").send_keys(Keys.ARROW_LEFT)  # to the centre of a voxel
    before = browser.run("return [...pairViewer.scene.crosshairPos]")
    browser.one("#canvas").send_keys(Keys.ARROW_RIGHT, Keys.PAGE_UP)
    after = browser.run("return [...pairViewer.scene.crosshairPos]")
    moved = [b > a for a, b in zip(before, after, strict=True)]
    assert moved == [True, False, True]
    assert browser.one("#place").text
    colours = browser.run(
        "pairViewer.drawScene(); const c = document.getElementById('canvas');"
        "const gl = pairViewer.gl, p = new Uint8Array(4 * c.width * c.height);"
        "gl.readPixels(0, 0, c.width, c.height, gl.RGBA, gl.UNSIGNED_BYTE, p);"
        "return new Set(p).size"
    )
    assert colours > 20


def test_a_slider_sets_the_opacity_of_its_layer(browser: Browser, report: Report) -> None:
    show(browser, report, "assets/pair-0001.html")
    open_viewer(browser)
    sliders = browser.all(".layers input")
    assert len(sliders) == 6
    sliders[2].send_keys(Keys.END)
    assert browser.run("return pairViewer.volumes[2].opacity") == 1


def test_without_webgl_the_page_says_so_and_the_stills_stay(
    browser: Browser, report: Report
) -> None:
    script = "HTMLCanvasElement.prototype.getContext = () => null;"
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
    try:
        show(browser, report, "assets/pair-0001.html")
        open_viewer(browser)
        assert "no WebGL 2" in browser.one("#viewer-state").text
        assert browser.one(".row img").get_property("naturalWidth") > 0
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


def test_flicker_and_checkerboard_by_key(browser: Browser, report: Report) -> None:
    show(browser, report, "assets/pair-0001.html")
    keys = ActionChains(browser)
    keys.send_keys("c").send_keys("f").perform()
    assert browser.one("#stacks").get_attribute("class") == "planes control checkered under"
    assert browser.one("#flicker").get_attribute("aria-pressed") == "true"
    keys.send_keys("c").send_keys("f").perform()
    assert browser.one("#flicker").get_attribute("aria-pressed") == "false"
    source = browser.one(".stack .over").get_attribute("src")
    assert source == browser.one('[data-over="warped-0"]').get_attribute("src")


def test_pairs_are_sorted_and_filtered(browser: Browser, report: Report) -> None:
    show(browser, report, "index.html")
    browser.all(".pairs thead button")[0].click()
    names = [cell.text for cell in browser.all(".pairs tbody th")]
    assert names == sorted(names)
    browser.one("#filter").send_keys("0005")
    shown = [row for row in browser.all(".pairs tbody tr") if row.is_displayed()]
    assert len(shown) == 1
    assert browser.one("#shown").text == "1 of 3 pairs"


@pytest.mark.parametrize("name", ["index.html", "assets/pair-0001.html"])
@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1600, "dark")])
def test_it_is_accessible_and_fits_the_screen(
    browser: Browser, report: Report, axe: str, name: str, width: int, scheme: str
) -> None:
    browser.emulate(width, prefers_color_scheme=scheme)
    show(browser, report, name)
    assert browser.run("return document.documentElement.scrollWidth") <= width
    browser.run(axe)
    found = browser.execute_async_script(
        "const done = arguments[0]; axe.run().then((result) => done(result.violations))"
    )
    serious = [
        (rule["id"], rule["nodes"][0]["html"])
        for rule in found
        if rule["impact"] in {"serious", "critical"}
    ]
    assert serious == []


def test_without_scripts_the_stills_are_there(browser: Browser, report: Report) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show(browser, report, "assets/pair-0001.html")
        assert all(image.is_displayed() for image in browser.all(".row img"))
        assert not browser.one("#open").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_a_report_without_its_viewer_says_so(browser: Browser, make: MakeReport) -> None:
    report = make().report
    (report.folder / "assets" / "niivue.js").unlink()
    show(browser, report, "assets/pair-0001.html")
    open_viewer(browser)
    assert "did not come with this report" in browser.one("#viewer-state").text
    browser.get_log("browser")  # of the file that is missing
