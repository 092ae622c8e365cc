"""Reports of small phantoms."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eval.cli import app
from tests.eval.conftest import Phantom


@dataclass(frozen=True)
class Report:
    """A report on the disk."""

    folder: Path

    @property
    def index(self) -> str:
        return (self.folder / "index.html").read_text(encoding="utf-8")

    def page(self, number: int) -> str:
        return (self.folder / "assets" / f"pair-{number:04}.html").read_text(encoding="utf-8")

    def volumes(self, number: int) -> list[dict[str, object]]:
        script = (self.folder / "assets" / f"pair-{number:04}.js").read_text(encoding="utf-8")
        return json.loads(script.removeprefix("globalThis.pairVolumes = ").rstrip(";\n"))

    @property
    def order(self) -> list[str]:
        """Names of the pairs, from the top."""
        return [unescape(name) for name in re.findall(r'<tr data-name="([^"]*)"', self.index)]


@dataclass(frozen=True)
class Called:
    """What the command did."""

    code: int
    text: str
    report: Report


MakeReport = Callable[..., Called]


@pytest.fixture
def make(phantom: Phantom, tmp_path: Path) -> MakeReport:
    """Call `report` on the phantom's fields."""

    def call(*more: object, submission: Path | None = None) -> Called:
        output = tmp_path / "report"
        words = ["report", submission or phantom.fields, "--task", phantom.task_file]
        words += ["--dataset", phantom.dataset, "--output", output, *more]
        result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
        return Called(result.exit_code, result.output, Report(output))

    return call
