from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app

QUICK = """
[[refine]]
name = "instance_optimisation"

[[refine.regularisers]]
weight = 0.1
term = { name = "diffusion" }

[[refine.levels]]
shrink = 2
control = 4
similarity = { name = "lncc", window = 5 }
steps = 12
learning_rate = 0.2

[[refine.levels]]
shrink = 2
control = 2
similarity = { name = "lncc", window = 5 }
steps = 8
learning_rate = 0.1
"""


@dataclass
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


Command = Callable[..., Ran]


@pytest.fixture
def command() -> Command:
    """Call the command line in this process."""

    def call(*words: str | Path) -> Ran:
        result = CliRunner().invoke(app, [str(word) for word in words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return call


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    """A run file whose pairs take a fraction of a second."""
    path = tmp_path / "quick.toml"
    path.write_text(QUICK)
    return path


@pytest.fixture
def words(phantom: Path, quick: Path, tmp_path: Path) -> Sequence[str | Path]:
    """The arguments of a quick run on the phantom, into `tmp_path / "out"`."""
    return (
        *("--config", quick),
        *("--task", phantom / "phantom.toml"),
        *("--dataset", phantom / "PHANTOM_dataset.json"),
        *("--output", tmp_path / "out"),
        *("--device", "cpu"),
    )
