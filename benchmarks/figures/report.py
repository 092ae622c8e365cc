"""The pictures of docs/report.md, of the report that `make demo` makes, in a real Chromium.

python -m benchmarks.figures.report [folder of the report]

Needs Debian's packages chromium and chromium-driver, and no GPU.
"""

import base64
import sys
import time
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from selenium.webdriver.support.ui import WebDriverWait

from tests.eval.leaderboard.page.browser import WITH_WEBGL, Browser, chromium

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
WIDE_PX, NARROW_PX = 1100, 390
SCALE = 0.7
"""Of the page of a pair, which is long."""
PATIENCE_S = 300
"""For the viewer, whose WebGL runs on the processor."""
MARGIN_PX = 20
"""Around the viewer."""
PHONE_PX = 1500
"""Height that is shown of the narrow page."""


def shoot(browser: Browser, name: str, box: dict[str, float], scale: float = 1.0) -> None:
    """Write a piece of the page as a picture, also what lies below the window."""
    clip = {**box, "scale": scale}
    taken = browser.execute_cdp_cmd(
        "Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True}
    )
    picture = Image.open(BytesIO(base64.b64decode(taken["data"]))).convert("RGB")
    picture.quantize(256).save(IMAGES / name, optimize=True)


def top_of_page(browser: Browser, height: float) -> dict[str, float]:
    """The box of the page's upper part."""
    width = browser.run("return document.documentElement.clientWidth")
    return {"x": 0, "y": 0, "width": width, "height": height}


def open_viewer(browser: Browser) -> dict[str, float]:
    """Open the viewer, show structures over the fixed image, and find its section."""
    browser.one("#open").click()
    wait = WebDriverWait(browser, PATIENCE_S)
    wait.until(lambda _: "Loading" not in browser.one("#viewer-state").text)
    browser.run(
        "const slider = [...document.querySelectorAll('.layers input')].at(-1);"
        "slider.value = slider.max / 3; slider.dispatchEvent(new Event('input'));"
    )
    section = browser.one("#open").find_element("xpath", "ancestor::section")
    browser.run("arguments[0].scrollIntoView()", section)
    time.sleep(3)  # drawn by the processor, frame by frame
    return browser.run(
        "const {x, y, width, height} = arguments[0].getBoundingClientRect();"
        "return {x: x + scrollX - arguments[1], y: y + scrollY - arguments[1],"
        " width: width + 2 * arguments[1], height: height + arguments[1]};",
        section,
        MARGIN_PX,
    )


def main(report: Path) -> None:
    """Photograph the first pair's page, its viewer, and the page on a phone."""
    page = (report / "assets" / "pair-0001.html").resolve().as_uri()
    with TemporaryDirectory() as profile, chromium(Path(profile), WITH_WEBGL) as browser:
        browser.set_page_load_timeout(PATIENCE_S)
        browser.set_script_timeout(PATIENCE_S)
        browser.emulate(WIDE_PX, prefers_color_scheme="light")
        browser.get(page)
        table = browser.one("table").location["y"]  # of structures, long
        shoot(browser, "report-pair.png", top_of_page(browser, table), SCALE)
        shoot(browser, "report-viewer.png", open_viewer(browser))
        browser.emulate(NARROW_PX, prefers_color_scheme="light")
        browser.get((report / "index.html").resolve().as_uri())
        shoot(browser, "report-phone.png", top_of_page(browser, PHONE_PX))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "output" / "report")
