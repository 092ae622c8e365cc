"""From JSON and TOML to records."""

import json
from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, RootModel, ValidationError

from l2r.errors import ConfigError, DatasetError, TaskError
from l2r.schema import Frozen, Tolerant, parse, read_json, read_text, read_toml

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


class Boat(Frozen):
    crew: int
    name: str = "Ida"


class Fleet(RootModel[list[Boat]]):
    pass


class Buoy(Tolerant):
    colour: str


class Channel(RootModel[list[Buoy]]):
    pass


def test_our_own_configuration_is_immutable_and_refuses_unknown_keys() -> None:
    with pytest.raises(ValidationError, match=r"frozen"):
        Boat(crew=2).crew = 3
    with pytest.raises(ValidationError, match=r"sails"):
        Boat(crew=2, sails=1)


def test_files_of_the_wild_may_hold_unknown_keys_but_no_wrong_types() -> None:
    assert Buoy.model_validate({"colour": "red", "depth": 3}) == Buoy(colour="red")
    with pytest.raises(ValidationError, match=r"valid string"):
        Buoy.model_validate({"colour": 5})
    with pytest.raises(ValidationError, match=r"frozen"):
        Buoy(colour="red").colour = "green"


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_bytes("\ufeff[1, 2]".encode())
    assert read_text(path, DatasetError) == "[1, 2]"
    assert read_json(path, DatasetError) == [1, 2]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"gone.toml: no such file$"):
        read_text(tmp_path / "gone.toml", TaskError)


def test_a_folder_and_a_file_in_another_encoding_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"cannot be read: .*directory"):
        read_text(tmp_path, DatasetError)
    path = tmp_path / "latin.json"
    path.write_bytes("Größe".encode("latin-1"))
    with pytest.raises(DatasetError, match=r"latin.json: cannot be read: .*utf-8"):
        read_text(path, DatasetError)


@given(value=values)
def test_any_json_value_is_read_as_it_was_written(
    value: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "value.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    assert read_json(path, DatasetError) == value


def test_a_typo_in_json_is_found_by_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "typo.json"
    path.write_text('{"fixed": 1,\n "moving" 2}')
    with pytest.raises(DatasetError, match=r"not valid JSON at line 2, column 11: .*':'"):
        read_json(path, DatasetError)


@pytest.mark.parametrize("text", ["", "[" * 100_000, f"[{'1' * 5000}]"], ids=["0", "deep", "long"])
def test_whatever_stands_in_a_json_file_is_read_or_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.json"
    path.write_text(text)
    with pytest.raises(DatasetError, match=r"not valid JSON"):
        read_json(path, DatasetError)


def test_a_typo_in_toml_is_found_by_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "typo.toml"
    path.write_text("a = 1\nb = two")
    with pytest.raises(ConfigError, match=r"typo.toml: not valid TOML: .*line 2, column 5"):
        read_toml(path, ConfigError)
    path.write_text('a = 1\nb = "two"')
    assert read_toml(path, ConfigError) == {"a": 1, "b": "two"}


def test_what_fits_becomes_a_record() -> None:
    assert parse(Boat, {"crew": 2}, "boat.toml", ConfigError) == Boat(crew=2, name="Ida")
    assert parse(Fleet, [{"crew": 2}], "boats.toml", ConfigError).root == [Boat(crew=2)]


def test_every_fault_stands_on_the_one_line_with_its_place() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(Fleet, [{"crew": 1}, {"crew": "x", "sails": 1}, {}], "boats.toml", ConfigError)
    message = str(caught.value)
    assert message.startswith("boats.toml: 1.crew: input should be a valid integer")
    assert "; 1.sails: extra inputs are not permitted; 2.crew: field required" in message
    assert "\n" not in message


def test_the_place_of_a_fault_is_in_the_words_of_the_file() -> None:
    class Harbour(Frozen):
        berth: Annotated[Boat, AfterValidator(lambda boat: boat)] | int

    with pytest.raises(ConfigError, match=r"^h\.toml: berth\.crew: field required; berth\.int: "):
        parse(Harbour, {"berth": {}}, "h.toml", ConfigError)


def test_a_fault_of_the_whole_is_said_to_be_at_the_top_level() -> None:
    with pytest.raises(DatasetError, match=r"^list.json: top level: input should be a valid list$"):
        parse(Fleet, 5, "list.json", DatasetError)


def test_many_faults_still_make_a_line_that_can_be_read() -> None:
    with pytest.raises(DatasetError, match=r"list.json: 0: input should be") as caught:
        parse(Channel, ["red"] * 50, "list.json", DatasetError)
    length = len(str(caught.value))
    assert length < 500
