"""Where the organisers mount things, under a made-up root."""

from pathlib import Path

import pytest

from l2r.errors import DatasetError
from l2r.mounts import find_mounts


def mount(root: Path, *places: str) -> None:
    for place in places:
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("[]")


@pytest.mark.parametrize(
    ("place", "task", "images", "output"),
    [
        ("LUMIR_dataset.json", "lumir24", "input", "output"),
        ("app/LUMIR25_dataset.json", "lumir25", "app/input", "app/output"),
        ("app/input_dataset.json", "any", "app/input", "app/output"),
        ("input/inputs.json", "grand_challenge", "input", "output"),
    ],
)
def test_the_pair_list_decides_which_challenge_it_is(
    place: str, task: str, images: str, output: str, tmp_path: Path
) -> None:
    mount(tmp_path, place)
    found = find_mounts(tmp_path)
    assert found.task.name == task
    assert (found.dataset, found.input, found.output) == (
        tmp_path / place,
        tmp_path / images,
        tmp_path / output,
    )


def test_without_any_pair_list_all_known_places_are_named(tmp_path: Path) -> None:
    (tmp_path / "LUMIR_dataset.json").mkdir()  # what docker makes of a wrong -v
    with pytest.raises(DatasetError, match=r"no pair list is mounted .*give --dataset") as caught:
        find_mounts(tmp_path)
    for place in ("LUMIR_dataset.json", "app/LUMIR25_dataset.json", "app/input_dataset.json"):
        assert str(tmp_path / place) in str(caught.value)


def test_two_pair_lists_are_one_too_many(tmp_path: Path) -> None:
    mount(tmp_path, "LUMIR_dataset.json", "app/input_dataset.json")
    with pytest.raises(DatasetError, match=r"more than one pair list is mounted .*one$") as caught:
        find_mounts(tmp_path)
    assert str(tmp_path / "LUMIR_dataset.json") in str(caught.value)
    assert "LUMIR25" not in str(caught.value)


def test_only_grand_challenge_mounts_a_model(tmp_path: Path) -> None:
    mount(tmp_path, "input/inputs.json")
    assert find_mounts(tmp_path).model == tmp_path / "opt/ml/model"
    (tmp_path / "input/inputs.json").rename(tmp_path / "LUMIR_dataset.json")
    assert find_mounts(tmp_path).model is None
