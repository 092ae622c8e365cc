"""Errors in one line, and progress on and off a terminal."""

import io
import logging
import re

import pytest
import typer
from typer.testing import CliRunner

from l2r import errors
from l2r.console import USAGE, one_line_errors, progress

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.L2RError)
]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rich believes that it writes to a terminal, 60 columns wide."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")


@pytest.fixture
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)


def plain(text: str) -> str:
    """Without colours and movements of the cursor."""
    return re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", text)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_expected_failure_is_one_line_on_stderr_and_exit_code_2(kind: type[Exception]) -> None:
    app = typer.Typer()

    @app.command()
    def sail() -> None:
        with one_line_errors():
            typer.echo("about to sail")
            raise kind("mast.nii: broken; mend it")

    result = CliRunner().invoke(app)
    assert result.exit_code == USAGE == 2
    assert result.stderr == "error: mast.nii: broken; mend it\n"
    assert result.stdout == "about to sail\n"


def test_every_kind_of_failure_stands_in_the_tree_of_the_docstring() -> None:
    described = re.findall(r"^ {4,8}(\w+Error) ", str(errors.__doc__), re.MULTILINE)
    assert described == [kind.__name__ for kind in KINDS]


def test_a_defect_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), one_line_errors():
        _ = 1 / 0


def test_nothing_is_printed_where_nothing_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with one_line_errors():
        pass
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("no_terminal")
def test_off_a_terminal_progress_is_numbered_lines_on_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress(2, "registering") as advance:
        advance("a<--b done")
        assert capsys.readouterr().err == "[1/2] a<--b done\n"
        advance("c<--d [red] failed")
    assert capsys.readouterr() == ("", "[2/2] c<--d [red] failed\n")


@pytest.mark.usefixtures("no_terminal")
def test_a_line_of_progress_arrives_at_once_where_stderr_is_buffered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arrived = io.BytesIO()
    monkeypatch.setattr("sys.stderr", io.TextIOWrapper(arrived))
    with progress(2, "registering") as advance:
        advance("a<--b done")
        assert arrived.getvalue() == b"[1/2] a<--b done\n"


@pytest.mark.usefixtures("terminal")
def test_on_a_terminal_progress_is_a_bar_with_the_time_left_on_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress(2, "registering") as advance:
        advance("a<--b done")
        advance("c<--d done")
    out, err = capsys.readouterr()
    assert out == ""
    lines = plain(err).splitlines()
    assert "a<--b done" in lines
    assert "c<--d done" in lines
    last = next(line for line in reversed(lines) if line.startswith("registering"))
    assert re.search(r"2/2 \d:\d\d:\d\d left", last)


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("news", ["scan[a]<--scan[b]", "[/b] is no tag", "[bold]loud[/bold]"])
def test_on_a_terminal_news_are_shown_as_they_are(
    news: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress(1, "registering") as advance:
        advance(news)
    assert news in plain(capsys.readouterr().err).splitlines()


@pytest.mark.usefixtures("terminal")
def test_on_a_terminal_long_news_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    news = "/a/long/path" * 8
    with progress(1, "registering") as advance:
        advance(news)
    assert news in plain(capsys.readouterr().err).splitlines()


@pytest.mark.parametrize("where", ["terminal", "no_terminal"])
def test_warnings_in_the_log_are_lines_of_their_own(
    where: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    request.getfixturevalue(where)
    with progress(1, "registering") as advance:
        logging.getLogger("l2r.somewhere").warning("headers [%s] disagree", "RAS")
        logging.getLogger("l2r.somewhere").info("a detail")
        advance("a<--b done")
    err = plain(capsys.readouterr().err)
    assert "warning: headers [RAS] disagree" in err.splitlines()
    assert "a detail" not in err


@pytest.mark.usefixtures("no_terminal")
def test_the_log_is_left_alone_afterwards_even_after_a_failure() -> None:
    before = logging.getLogger().handlers[:]

    def fail() -> None:
        with progress(1, "registering"):
            assert logging.getLogger().handlers != before
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - ours, without a message
        fail()
    assert logging.getLogger().handlers == before
