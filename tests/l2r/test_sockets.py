"""The inputs of an algorithm on grand-challenge.org, under a made-up root."""

import json
from pathlib import Path

import pytest

from l2r.errors import DatasetError
from l2r.sockets import read_sockets
from l2r.task import Sockets


def value(slug: str, **more: object) -> dict[str, object]:
    """An image's, as the platform describes it now."""
    socket = {"slug": slug, "relative_path": f"images/{slug}", "super_kind": "Image", "pk": 7}
    return {"socket": socket | more, "image": {"name": f"{slug}.nii.gz"}, "value": None}


def put(folder: Path, *values: dict[str, object]) -> Path:
    """The list of values, and an image for each image socket."""
    for one in values:
        socket = one.get("socket", one.get("interface"))
        if socket["super_kind"] == "Image":
            place = folder / socket["relative_path"]
            place.mkdir(parents=True, exist_ok=True)
            (place / "8f2b.mha").touch()
    listed = folder / "inputs.json"
    listed.write_text(json.dumps(values))
    return listed


def old(one: dict[str, object]) -> dict[str, object]:
    return {"interface": one["socket"], **{k: v for k, v in one.items() if k != "socket"}}


def both(one: dict[str, object]) -> dict[str, object]:
    return {"interface": one["socket"], **one}


FIXED, MOVING = value("fixed-image"), value("moving-image")
YEARS = {
    "socket": {"slug": "years", "relative_path": "years.json", "super_kind": "Value"},
    "value": 3,
}


@pytest.mark.parametrize("style", [dict, old, both])
def test_the_slugs_tell_the_images_apart(style: type, tmp_path: Path) -> None:
    listed = put(tmp_path, style(MOVING), style(YEARS), style(FIXED))
    pair = read_sockets(listed, tmp_path, Sockets())
    assert pair.fixed.path == tmp_path / "images/fixed-image/8f2b.mha"
    assert str(pair.moving.relative) == "images/moving-image/8f2b.mha"


def test_a_task_may_name_them(tmp_path: Path) -> None:
    listed = put(tmp_path, value("brain-mri"), value("brain-pet"), value("fixed-mask"))
    pair = read_sockets(listed, tmp_path, Sockets(fixed="brain-pet", moving="brain-mri"))
    assert pair.fixed.relative.parts[1] == "brain-pet"
    assert pair.moving.relative.parts[1] == "brain-mri"


@pytest.mark.parametrize(
    ("slugs", "wanted"),
    [
        ([], Sockets()),
        (["fixed-image"], Sockets()),
        (["fixed-moving-image"], Sockets()),
        (["fixed-image", "other"], Sockets()),
        (["fixed-image", "fixed-mask", "moving-image"], Sockets()),
        (["fixed-image", "moving-image", "pet"], Sockets()),
        (["fixed-image", "moving-image"], Sockets(moving="pet")),
        (["fixed-image", "moving-image"], Sockets(fixed="moving-image")),
    ],
    ids=str,
)
def test_what_is_not_clear_is_refused_with_the_slugs_that_are_there(
    slugs: list[str], wanted: Sockets, tmp_path: Path
) -> None:
    listed = put(tmp_path, YEARS, *map(value, slugs))
    with pytest.raises(DatasetError, match=r"inputs\.json: image sockets are") as caught:
        read_sockets(listed, tmp_path, wanted)
    assert f"sockets are {', '.join(slugs) or 'none'};" in str(caught.value)
    assert "years" not in str(caught.value)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ([], "holds no file; one .mha"),
        (["a.mha", "b.mha"], "holds a.mha, b.mha; one .mha"),
        (["slide.tif"], "holds slide.tif; one .mha"),
    ],
)
def test_a_socket_has_one_image(files: list[str], told: str, tmp_path: Path) -> None:
    listed = put(tmp_path, FIXED, MOVING)
    place = tmp_path / "images/moving-image"
    (place / "8f2b.mha").unlink()
    for name in files:
        (place / name).touch()
    with pytest.raises(DatasetError, match="image of socket moving-image") as caught:
        read_sockets(listed, tmp_path, Sockets())
    assert told in str(caught.value)


def test_files_that_macos_leaves_are_no_images(tmp_path: Path) -> None:
    listed = put(tmp_path, FIXED, MOVING)
    for name in ("._8f2b.mha", ".DS_Store"):
        (tmp_path / "images/fixed-image" / name).touch()
    assert read_sockets(listed, tmp_path, Sockets()).fixed.path.name == "8f2b.mha"


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    listed = put(tmp_path, FIXED, MOVING)
    (tmp_path / "images/fixed-image/8f2b.mha").unlink()
    (tmp_path / "images/fixed-image").rmdir()
    with pytest.raises(DatasetError, match="images/fixed-image: holds no file"):
        read_sockets(listed, tmp_path, Sockets())


@pytest.mark.parametrize("path", ["../secret", "/etc"])
def test_a_path_that_leaves_the_inputs_is_refused(path: str, tmp_path: Path) -> None:
    listed = put(tmp_path / "input", FIXED, MOVING)
    values = [value("fixed-image", relative_path=path), MOVING]
    listed.write_text(json.dumps(values))
    with pytest.raises(DatasetError, match="leaves the folder of inputs"):
        read_sockets(listed, listed.parent, Sockets())


@pytest.mark.parametrize(
    ("text", "told"),
    [("[", "not valid JSON"), ("{}", "valid list"), ('[{"image": null}]', "field required")],
)
def test_a_faulty_list_is_named(text: str, told: str, tmp_path: Path) -> None:
    listed = tmp_path / "inputs.json"
    listed.write_text(text)
    with pytest.raises(DatasetError, match=r"inputs\.json") as caught:
        read_sockets(listed, tmp_path, Sockets())
    assert told in str(caught.value)
