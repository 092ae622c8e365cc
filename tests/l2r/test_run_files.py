"""Files that extend each other."""

import re
from pathlib import Path

import pytest
from pydantic import Field

from l2r.errors import ConfigError
from l2r.run_files import load_run_file
from l2r.schema import Frozen


class Part(Frozen):
    name: str = "plain"
    width: int = 1
    strength: int = 1
    weights: Path | None = None


class File(Frozen):
    seed: int = 0
    part: Part = Part()
    parts: tuple[Part, ...] = ()
    numbers: tuple[int, ...] = ()
    nested: dict[str, Part] = Field(default_factory=dict)


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_tables_are_merged_and_arrays_replaced(tmp_path: Path) -> None:
    written(
        tmp_path / "base.toml",
        'seed = 3\nnumbers = [1, 2]\n[part]\nname = "a"\nwidth = 5\n[nested.x]\nwidth = 7\n',
    )
    own = written(
        tmp_path / "own.toml",
        'extends = "base.toml"\nnumbers = [9]\n[part]\nstrength = 2\n[nested.x]\nstrength = 8\n',
    )
    expected = File(
        seed=3,
        numbers=(9,),
        part=Part(name="a", width=5, strength=2),
        nested={"x": Part(width=7, strength=8)},
    )
    assert load_run_file(File, own) == expected


def test_another_member_of_a_family_replaces_the_whole_table(tmp_path: Path) -> None:
    written(tmp_path / "base.toml", '[part]\nname = "a"\nwidth = 5\n')
    own = written(tmp_path / "own.toml", 'extends = "base.toml"\n[part]\nname = "b"\n')
    assert load_run_file(File, own).part == Part(name="b", width=1)
    same = written(tmp_path / "same.toml", 'extends = "base.toml"\n[part]\nname = "a"\n')
    assert load_run_file(File, same).part == Part(name="a", width=5)


def test_a_chain_is_relative_to_each_of_its_files(tmp_path: Path) -> None:
    written(tmp_path / "a/base.toml", "seed = 1\nnumbers = [1]\n")
    written(tmp_path / "b/middle.toml", 'extends = "../a/base.toml"\nnumbers = [2]\n')
    own = written(tmp_path / "own.toml", 'extends = "b/middle.toml"\n')
    assert load_run_file(File, own) == File(seed=1, numbers=(2,))


def test_weights_stay_beside_the_file_that_names_them(tmp_path: Path) -> None:
    text = '[part]\nweights = "w.pt"\n[[parts]]\nweights = "w.pt"\n[[parts]]\nweights = "known"\n'
    written(tmp_path / "a/base.toml", text)
    beside = written(tmp_path / "a/w.pt", "")
    written(tmp_path / "w.pt", "")
    found = load_run_file(File, written(tmp_path / "own.toml", 'extends = "a/base.toml"\n'))
    assert found.part.weights == found.parts[0].weights == beside
    assert found.parts[1].weights == Path("known")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"own": '"own.toml"'}, "own.toml extends own.toml: a circle; take one `extends` out"),
        (
            {"own": '"a.toml"', "a": '"b.toml"', "b": '"a.toml"'},
            "own.toml extends a.toml extends b.toml extends a.toml: a circle",
        ),
        ({"own": '"a.toml"', "a": '"b.toml"'}, "own.toml extends a.toml: extends b.toml: no such"),
        ({"own": '["a.toml"]'}, "own.toml: extends: the path of one file as a string, not"),
        ({"own": '"a.toml"', "a": "1 2"}, "a.toml: not valid TOML"),
        ({"own": '"a.toml"', "a": '"b.toml"', "b": "speed"}, "b.toml: speed: extra inputs"),
        ({}, "own.toml: no such file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_with_a_chain_is_one_line(
    tmp_path: Path, files: dict[str, str], message: str
) -> None:
    for name, value in files.items():
        text = "speed = 1\n" if value == "speed" else f"extends = {value}\n"
        written(tmp_path / f"{name}.toml", text)
    with pytest.raises(ConfigError) as caught:
        load_run_file(File, tmp_path / "own.toml")
    text = str(caught.value).replace(f"{tmp_path}/", "")
    assert re.sub(r"\s+", " ", text) == text
    assert message in text
