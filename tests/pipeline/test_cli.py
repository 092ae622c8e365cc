"""The command line `regatta`: what its help shows, its version, completion, and what it costs."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer

from l2r import __version__
from pipeline import TORCH_ENVIRONMENT
from pipeline.cli import app
from pipeline.version import current_commit
from tests.pipeline.conftest import Command

ROOT = Path(__file__).parents[2]
NAMES = {
    "Register": ["run", "pair", "check", "segment"],
    "Raw heads": ["prepare", "register-pair", "to-native"],
    "Transform": ["apply", "points", "invert", "compose", "jacobian", "convert"],
    "Score": ["score", "report", "figure", "grand-challenge", "leaderboard"],
    "Train": ["train", "train-segmentation", "landscape", "experiment", "dataset", "weights"],
    "Ship": ["doctor", "container"],
}
GROUP = typer.main.get_command(app)


def leaves(group: click.Group = GROUP, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command that is no group, by its words."""
    for name, each in group.commands.items():
        if isinstance(each, click.Group):
            yield from leaves(each, (*before, name))
        else:
            yield (*before, name)


def test_the_help_groups_all_commands(command: Command) -> None:
    shown = command("--help").out
    places = [shown.index(f"─ {panel} ─") for panel in NAMES]
    assert places == sorted(places)
    for panel, start, end in zip(NAMES, places, [*places[1:], len(shown)], strict=True):
        for name in NAMES[panel]:
            assert f"│ {name} " in shown[start:end]
    assert set(GROUP.commands) == {name for names in NAMES.values() for name in names}


@pytest.mark.parametrize(
    "name",
    ["run", "pair", "check", "score", "report", "train", "landscape", "experiment", "doctor"],
)
def test_the_help_of_a_command_has_an_example_of_it(command: Command, name: str) -> None:
    assert f"Example: regatta {name} " in command(name, "--help").out


@pytest.mark.parametrize("words", list(leaves()), ids=" ".join)
def test_every_command_can_say_what_it_does(command: Command, words: tuple[str, ...]) -> None:
    ran = command(*words, "--help")
    assert ran.code == 0
    assert "Usage: " in ran.out


def test_the_help_shows_defaults(command: Command) -> None:
    shown = " ".join(command("run", "--help").out.replace("│", " ").split())
    assert "[default: auto]" in shown
    assert "[default: validation]" in shown
    assert "[default: (./output)]" in shown


def test_the_version_has_the_commit(command: Command) -> None:
    expected = f"regatta {__version__}, commit {current_commit() or 'unknown'}\n"
    assert command("--version").out == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_shown(shell: str) -> None:
    call = [sys.executable, "-c", "from pipeline.cli import main; main()", "--show-completion"]
    env = {"PATH": "/usr/bin:/bin", "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    ran = subprocess.run(
        [*call, shell], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    assert "_REGATTA_COMPLETE" in ran.stdout


def test_a_shell_gets_the_commands_that_begin_so() -> None:
    env = {
        "PATH": "/usr/bin:/bin",
        "_REGATTA_COMPLETE": "complete_bash",
        "COMP_WORDS": "regatta la",
        "COMP_CWORD": "1",
    }
    call = [sys.executable, "-c", "from pipeline.cli import main; main()"]
    ran = subprocess.run(call, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert ran.stdout.split() == ["landscape"]


BAD = [
    ("run", "--dataset", "no.json"),
    ("run", "--config", "no.toml", "--dataset", "no.json"),
    ("run", "--task", "lumir99", "--dataset", "no.json"),
    ("run", "--shard", "5/4"),
    ("pair", "a", "b"),
    ("check", ".", "--dataset", "no.json"),
    ("score", ".", "--task", "aseg", "--dataset", "no.json"),
    ("train", "no.toml"),
    ("landscape", "no.toml", "--weights", "t1_brain", "--dataset", "no.json"),
    ("weights", "inspect", "no.pt"),
]


@pytest.mark.parametrize("words", [("--help",), ("--version",), *BAD], ids=" ".join)
def test_help_and_bad_input_are_answered_without_torch(words: tuple[str, ...]) -> None:
    """Torch, which takes seconds to load, is not there when the answer is."""
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from pipeline.cli import app\n"
        "ran = CliRunner().invoke(app, sys.argv[1:])\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
        "print(ran.exit_code, ran.output)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout.split()[0]) == (2 if words in BAD else 0)


def test_help_needs_no_numpy() -> None:
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from pipeline.cli import app\n"
        "for words in (['--help'], ['run', '--help'], ['score', '--help']):\n"
        "    assert CliRunner().invoke(app, words).exit_code == 0\n"
        "heavy = ('torch', 'numpy', 'scipy', 'nibabel')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "[]\n"


def test_torch_gets_large_pages_and_patient_threads_unless_the_environment_says_otherwise() -> None:
    given = {name: value for name, value in os.environ.items() if name not in TORCH_ENVIRONMENT}
    code = "import os, pipeline; print(*(os.environ[name] for name in pipeline.TORCH_ENVIRONMENT))"
    shown = subprocess.run(
        [sys.executable, "-c", code],
        env=given | {"OMP_WAIT_POLICY": "ACTIVE"},
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert shown.stdout == "ACTIVE 1\n"
