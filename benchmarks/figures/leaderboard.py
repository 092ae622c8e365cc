"""The picture of the leaderboard's page, of synthetic submissions.

python -m benchmarks.figures.leaderboard
"""

import base64
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from benchmarks.figures.sample import IMAGES
from eval.leaderboard.page import render
from tests.eval.leaderboard.page.boards import lumir_board
from tests.eval.leaderboard.page.browser import chromium

TEAMS = 8
WIDTH, HEIGHT = 1280, 1780
"""Pixels: ranking and plots; the page goes on."""
COLOURS = 96
"""Of the file: enough for the page, and a third of its size."""


def main() -> None:
    """Draw it again."""
    with TemporaryDirectory() as folder, chromium(Path(folder, "profile")) as browser:
        path = Path(folder, "leaderboard.html")
        path.write_text(render(lumir_board(TEAMS)), encoding="utf-8")
        browser.emulate(WIDTH, prefers_color_scheme="light")
        browser.get(path.as_uri())
        clip = {"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT, "scale": 1}
        shot = browser.execute_cdp_cmd(
            "Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True}
        )
    picture = Image.open(BytesIO(base64.b64decode(shot["data"]))).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(
        IMAGES / "leaderboard.png", optimize=True
    )


if __name__ == "__main__":
    main()
