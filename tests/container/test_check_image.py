"""What a platform refuses of an image and of its archive."""

import io
import json
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from l2r.errors import ContainerError
from pipeline.container.check_image import (
    LARGEST,
    ImageFacts,
    SavedImage,
    check_archive,
    check_config,
    check_size,
    read_archive,
)
from pipeline.container.contracts import find_contract
from pipeline.container.docker_run import BindMount, seconds_of, unexpected_writes
from pipeline.container.images import find_image, read_saved
from tests.container.engine import Engine

GOOD = {
    "Architecture": "amd64",
    "Config": {"User": "10001:10001", "Entrypoint": ["python"], "Cmd": None},
}
CONTRACT = find_contract("psmareg26")


def facts(**config: object) -> ImageFacts:
    return ImageFacts.model_validate(GOOD | {"Config": GOOD["Config"] | config})


def texts(of: ImageFacts, contract: str = "psmareg26") -> list[str]:
    return [finding.text for finding in check_config(of, find_contract(contract))]


@pytest.mark.parametrize("user", ["10001", "10001:10001", "1:0", "user", "rooty"])
def test_any_user_but_root_will_do(user: str) -> None:
    assert texts(facts(User=user)) == []


@pytest.mark.parametrize("user", ["", None, "0", "root", "0:0", "root:root", "0:1000", "00"])
def test_root_is_refused_under_every_name(user: str | None) -> None:
    (text,) = texts(facts(User=user))
    assert "runs as root" in text


def test_another_architecture_is_refused() -> None:
    (text,) = texts(ImageFacts.model_validate(GOOD | {"Architecture": "arm64"}))
    assert text.startswith("is for arm64, but platforms run amd64")


def test_arguments_need_an_entry_point_and_a_list_needs_something_to_start() -> None:
    command = facts(Entrypoint=None, Cmd=["python"])
    assert "no ENTRYPOINT" in texts(command)[0]
    assert texts(command, "lumir25") == []
    assert "neither" in texts(facts(Entrypoint=None, Cmd=None), "lumir25")[0]


def test_ten_gigabytes_are_the_most() -> None:
    assert not list(check_size("image", LARGEST))
    (finding,) = check_size("image", LARGEST + 10**8)
    assert (finding.name, finding.kind) == ("image", "problem")
    assert finding.text.startswith("10.1 GB, but at most 10 GB")


def archive(members: dict[str, bytes]) -> io.BytesIO:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    file.seek(0)
    return file


CONFIG = json.dumps(
    {"architecture": "amd64", "config": {"User": "10001", "Entrypoint": ["python"]}}
).encode()


def manifest(*configs: str) -> bytes:
    return json.dumps(
        [{"Config": name, "RepoTags": None, "Layers": []} for name in configs]
    ).encode()


@pytest.mark.parametrize("name", ["abc.json", "blobs/sha256/abc"], ids=["before 25", "since 25"])
def test_both_layouts_of_an_archive_are_read(name: str) -> None:
    layer = {"layer.tar": b"\0" * (3 << 20)}
    found = read_archive(archive({name: CONFIG} | layer | {"manifest.json": manifest(name)}), "x")
    assert found.images == 1
    assert found.facts.config.user == "10001"
    assert 3 << 20 < found.size < (3 << 20) + 10_000
    assert not list(check_archive(found))


def test_two_images_in_an_archive_are_refused() -> None:
    found = read_archive(archive({"a": CONFIG, "manifest.json": manifest("a", "a")}), "x")
    assert [finding.text for finding in check_archive(found)] == [
        "2 images, but exactly one is taken; save one tag"
    ]


def test_a_large_archive_is_refused() -> None:
    found = SavedImage(1, ImageFacts.model_validate(GOOD), LARGEST + 1)
    assert [finding.name for finding in check_archive(found)] == ["archive"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (io.BytesIO(b"no tar"), "x: not a saved image"),
        (archive({"a": CONFIG}), "x: manifest.json is missing or damaged"),
        (archive({"manifest.json": b"["}), "x: manifest.json is missing or damaged"),
        (archive({"manifest.json": b"[]"}), "x: holds no image"),
        (archive({"manifest.json": manifest("a")}), "x: a is missing or damaged"),
        (archive({"manifest.json": b'{"no": 1}'}), "x: manifest.json: top level"),
    ],
    ids=["no tar", "no manifest", "no json", "no image", "no config", "no list"],
)
def test_what_is_no_saved_image_is_said_in_one_line(content: io.BytesIO, message: str) -> None:
    with pytest.raises(ContainerError, match=message) as caught:
        read_archive(content, "x")
    assert "\n" not in str(caught.value)


PLACES = (
    BindMount(Path("/a"), PurePosixPath("/app/input")),
    BindMount(Path("/b"), PurePosixPath("/app/output"), writable=True),
    BindMount(Path("/c"), PurePosixPath("/LIST.json")),
)


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (["/app", "/app/input", "/app/output", "/LIST.json"], []),
        (["/tmp", "/tmp/cache", "/tmp/cache/a"], []),  # noqa: S108
        (["/home", "/home/user", "/home/user/.cache"], ["/home/user/.cache"]),
        (["/app/outputs"], ["/app/outputs"]),
        (["/usr", "/usr/lib/libcuda.so"], ["/usr/lib/libcuda.so"]),
    ],
    ids=["mounts", "scratch", "home", "like a mount", "system"],
)
def test_what_a_container_wrote_beside_its_output(paths: list[str], found: list[str]) -> None:
    changes = [{"Path": path, "Kind": 1} for path in paths]
    assert list(unexpected_writes(changes, PLACES, gpu=False)) == found


def test_the_driver_of_a_gpu_is_not_the_containers() -> None:
    changes = [{"Path": "/usr/lib/libcuda.so", "Kind": 1}, {"Path": "/data", "Kind": 1}]
    assert list(unexpected_writes(changes, PLACES, gpu=True)) == ["/data"]


@pytest.mark.docker
def test_a_real_archive_of_a_real_image(engine: Engine, base_image: str) -> None:
    image = find_image(engine.client, base_image)
    found = read_saved(engine.client, image)
    assert found.images == 1
    assert 0.9 * image.size < found.size < 1.2 * image.size
    assert found.facts.architecture == image.facts.architecture
    assert "root" in texts(found.facts)[0]


@pytest.mark.docker
def test_a_name_without_a_tag_is_one_image_of_several(engine: Engine, base_image: str) -> None:
    engine.client.images.get(base_image).tag("several", "latest")
    engine.client.images.build(
        fileobj=io.BytesIO(f"FROM {base_image}\nLABEL other=1\n".encode()), tag="several:other"
    )
    assert read_saved(engine.client, find_image(engine.client, "several")).images == 1


@pytest.mark.docker
def test_an_unknown_image_says_how_it_is_built(engine: Engine) -> None:
    with pytest.raises(ContainerError, match=r"no such image.*container build --tag nowhere"):
        find_image(engine.client, "nowhere")


def test_a_container_that_ends_at_once_took_no_time_however_the_engine_noted_it() -> None:
    start, end = "2026-11-26T18:50:00.004Z", "2026-11-26T18:50:00Z"
    assert str(seconds_of({"StartedAt": start, "FinishedAt": end})) == "0.0"
    assert seconds_of({"StartedAt": end, "FinishedAt": "2026-11-26T18:51:01.25Z"}) == 61.25
