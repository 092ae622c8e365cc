"""A real Chromium without a window: Debian's packages chromium and chromium-driver."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from eval.leaderboard.board import Board

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars",
)  # fmt: skip


WITH_WEBGL = (
    *(option for option in OPTIONS if option != "--disable-gpu"),
    "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
)  # fmt: skip
"""WebGL by a software renderer, also where there is no GPU."""


class Browser(webdriver.Chrome):
    """Shorter names for what the tests do."""

    def all(self, selector: str) -> list[WebElement]:
        return self.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        return self.find_element(By.CSS_SELECTOR, selector)

    def run(self, script: str, *arguments: object) -> Any:
        return self.execute_script(script, *arguments)

    def names(self) -> list[str]:
        """Of the rows of the ranking that can be seen, from top to bottom."""
        return self.run(
            "return [...document.querySelectorAll('.ranking tbody tr')]"
            ".filter(row => row.checkVisibility()).map(row => row.dataset.name)"
        )

    def emulate(self, width: int = 1280, media: str = "", **features: str) -> None:
        """A window's width in pixels, `print`, and media features, `-` written as `_`."""
        self.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
        )
        features = {"prefers_reduced_motion": "reduce"} | features  # no waiting for scrolling
        chosen = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        self.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": chosen})

    def connect(self, *, online: bool) -> None:
        speed = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": not online} | speed)

    def tip(self) -> str:
        return self.one("#tip").text


Show = Callable[[Board], None]
"""Opens the page of a board."""


@contextmanager
def chromium(profile: Path, options_of: tuple[str, ...] = OPTIONS) -> Iterator[Browser]:
    """A browser with an empty profile, which writes down what it asks for and complains of."""
    options = webdriver.ChromeOptions()
    for option in options_of:
        options.add_argument(option)
    options.add_argument(f"--user-data-dir={profile}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with Browser(options, Service(str(DRIVER))) as browser:
        browser.execute_cdp_cmd("Network.enable", {})
        yield browser
