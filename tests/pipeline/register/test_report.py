"""`run --report`: pages to look at, in a folder beside that of the fields."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from l2r.errors import ConfigError
from l2r.task import load_task
from pipeline.register.report import check_report
from pipeline.register.request import Job
from pipeline.register.shard import Shard
from tests.pipeline.conftest import Command

Words = Sequence[str | Path]


def test_a_run_makes_its_report_beside_its_fields(
    command: Command, words: Words, tmp_path: Path
) -> None:
    ran = command("run", *words, "--report")
    assert ran.code == 0, ran.err
    index = tmp_path / "out_report" / "index.html"
    assert ran.out.splitlines()[-1] == str(index)
    text = index.read_text(encoding="utf-8")
    assert "Images were registered with Regatta" in text
    assert "DSC" in text
    assert not list((tmp_path / "out").glob("*.html"))


def test_a_report_keeps_the_curves_of_the_run(
    command: Command, words: Words, tmp_path: Path
) -> None:
    assert command("run", *words).code == 0
    figure = tmp_path / "curves.png"
    drawn = command("figure", "refinement", tmp_path / "out", "--output", figure)
    assert drawn.code == 0, drawn.err
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_one_field_and_a_shard_have_no_report(tmp_path: Path) -> None:
    task = load_task("aseg")
    with pytest.raises(ConfigError, match="wants the field and nothing besides"):
        check_report(Job(tmp_path, task, {}, tmp_path, one_field=True))
    with pytest.raises(ConfigError, match="a shard has a part of the pairs"):
        check_report(Job(tmp_path, task, {}, tmp_path, shard=Shard.parse("1/2")))
