"""Values of the command line go before those of a run file."""

from pathlib import Path

import pytest

from l2r.errors import ConfigError
from l2r.overrides import overridden
from l2r.run_files import load_run_file
from l2r.schema import Frozen

TABLE = {"epochs": 2, "model": {"name": "a", "sizes": [1, 2]}, "refine": [{"steps": 3}]}


def test_a_value_replaces_that_of_the_file_and_leaves_the_rest() -> None:
    assert overridden(TABLE, ["epochs=5"]) == TABLE | {"epochs": 5}


def test_keys_lead_through_tables_and_numbers_through_arrays() -> None:
    found = overridden(TABLE, ["model.sizes.1=7", "refine.0.steps=1", "data.kind=images"])
    assert found["model"] == {"name": "a", "sizes": [1, 7]}
    assert found["refine"] == [{"steps": 1}]
    assert found["data"] == {"kind": "images"}


def test_the_table_that_was_given_stays_as_it_is() -> None:
    overridden(TABLE, ["refine.0.steps=1"])
    assert TABLE["refine"] == [{"steps": 3}]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("true", True),
        ("[1, 2]", [1, 2]),
        ('{ name = "adam" }', {"name": "adam"}),
        ("adam", "adam"),
        ("a=b", "a=b"),
        ("weights/best.safetensors", "weights/best.safetensors"),
    ],
)
def test_values_are_toml_and_what_is_none_is_a_string(text: str, value: object) -> None:
    assert overridden({}, [f"key={text}"]) == {"key": value}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epochs", "must look like key=value"),
        ("=3", "must look like key=value"),
        ("model..name=3", "must look like key=value"),
        ("refine.1.steps=3", "'1' is none of the 1 entries"),
        ("refine.one.steps=3", "'one' is none of the 1 entries"),
        ("model.sizes.9=3", "'9' is none of the 2 entries"),
        ("epochs.most=3", "'most' is no key of 2"),
        ("epochs.most.of=3", "'most' is no key of 2"),
    ],
)
def test_a_way_that_leads_nowhere_is_refused_in_one_line(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=f"--set {text}: ") as caught:
        overridden(TABLE, [text])
    assert words in str(caught.value)


class _Settings(Frozen):
    epochs: int


def test_a_wrong_value_is_named_with_the_word_that_brought_it(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("epochs = 1\n")
    assert load_run_file(_Settings, path, ["epochs=4"]).epochs == 4
    with pytest.raises(ConfigError, match=r"run.toml --set epochs=many: epochs: .*integer"):
        load_run_file(_Settings, path, ["epochs=many"])
