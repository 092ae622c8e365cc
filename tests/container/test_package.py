"""`container package`: what is handed in, and that it is read back as the platform reads it."""

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from l2r.disk import sha256
from l2r.errors import ContainerError
from l2r.formats.metaimage import encoded
from pipeline.cli import app
from pipeline.container.check_package import PREDICTIONS, README, check_zip
from pipeline.container.contracts import find_contract
from pipeline.container.readme import LABELS, missing
from tests.container.engine import Engine
from tests.container.pairs import enlarged_pair
from tests.container.small_images import FIELD, built, knowing, right_field

pytestmark = pytest.mark.docker
CONTRACT = find_contract("lumir24")
Container = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def brains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """List of one pair in LUMIR's grid."""
    return enlarged_pair(tmp_path_factory.mktemp("brains"), "lumir24")


@pytest.fixture(scope="module")
def good(engine: Engine, base_image: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image that is accepted, of a registry, under a tag."""
    tag = knowing(engine, base_image, tmp_path_factory.mktemp("good"))
    engine.client.images.get(tag).tag("registry.example/team/good", "v1")
    return "registry.example/team/good:v1"


def call(engine: Engine, *words: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(
        app, ["container", *map(str, words)], env={"DOCKER_HOST": engine.base_url}
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def verified(
    engine: Engine, good: str, brains: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """What `verify --output` leaves."""
    folder = tmp_path_factory.mktemp("verified") / "out"
    words = ("--contract", "lumir24", "--dataset", brains, "--output", folder)
    code, told = call(engine, "verify", good, *words)
    assert code == 0, told
    return folder


@pytest.fixture
def package(engine: Engine, verified: Path, tmp_path: Path) -> Container:
    """Call `container package` for a good image, into a folder that is not there yet."""

    def pack(image: str, *words: str | Path, contract: str = "lumir24") -> tuple[int, str]:
        common = ("--contract", contract, "--verified", verified, "--output", tmp_path / "in/here")
        return call(engine, "package", image, *common, *words)

    return pack


@pytest.fixture(scope="module")
def zipped(
    engine: Engine, good: str, verified: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A good zip; do not write to it."""
    folder = tmp_path_factory.mktemp("zipped")
    words = ("--contract", "lumir24", "--verified", verified, "--user", "team_1")
    code, told = call(engine, "package", good, *words, "--output", folder)
    assert code == 0, told
    return folder / "LUMIR_team_1_TestPhase.zip"


def test_the_zip_holds_image_readme_and_fields(zipped: Path, verified: Path) -> None:
    assert [path.name for path in zipped.parent.iterdir()] == [zipped.name]
    with zipfile.ZipFile(zipped) as archive:
        assert archive.namelist() == ["good.tar.gz", README, PREDICTIONS]
        fields = zipfile.ZipFile(io.BytesIO(archive.read(PREDICTIONS)))
        assert fields.namelist() == [FIELD]
        assert fields.read(FIELD) == (verified / "fields" / FIELD).read_bytes()
    assert list(check_zip(zipped, CONTRACT)) == []


def test_the_packed_image_is_the_image(
    engine: Engine, zipped: Path, good: str, tmp_path: Path
) -> None:
    known = engine.client.images.get(good).id
    with zipfile.ZipFile(zipped) as archive:
        archive.extract("good.tar.gz", tmp_path)
    with tarfile.open(tmp_path / "good.tar.gz") as saved:
        manifest = json.load(saved.extractfile("manifest.json"))
    assert [entry["RepoTags"] for entry in manifest] == [[good]]
    (loaded,) = engine.client.images.load((tmp_path / "good.tar.gz").read_bytes())
    assert loaded.id == known


def test_the_readme_says_what_was_measured(zipped: Path, verified: Path, good: str) -> None:
    with zipfile.ZipFile(zipped) as archive:
        text = archive.read(README).decode()
    report = json.loads((verified / "verified.json").read_text())
    said = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    assert tuple(said) == LABELS
    assert said["Image"] == f"good.tar.gz: {good}, {report['image_id']}"
    assert said["CPUs"] == str(report["machine"]["cpus"])
    assert said["RAM"].startswith(f"{report['runs'][0]['peak_gib']:.2f} GiB at most, of 16 GiB")
    assert said["GPU memory"] == "none used"
    assert said["Seconds per pair"].startswith(f"{report['seconds'][FIELD]:.1f} on average")
    assert said["Run"].startswith("docker run --rm --ipc=host --memory 16g")
    assert said["Run"].endswith(good)
    assert missing(text) == []


def test_a_platform_gets_image_and_weights_alone(
    engine: Engine, base_image: str, brains: Path, tmp_path: Path
) -> None:
    script = "mkdir -p /output/images/displacement-field; cp /field.mha $_/output.mha"
    (tmp_path / "model").mkdir()
    (tmp_path / "model/weights.txt").write_text("the weights")
    (tmp_path / "field.mha").write_bytes(b"".join(encoded(right_field(), np.eye(4))))
    tag = built(
        engine,
        tmp_path,
        f"FROM {base_image}",
        "COPY field.mha /field.mha",
        "USER 7",
        f'ENTRYPOINT ["bash", "-c", "{script}"]',
    )
    words = ("--contract", "grand-challenge", "--model", tmp_path / "model")
    verified, output = tmp_path / "verified", tmp_path / "out"
    code, told = call(engine, "verify", tag, *words, "--dataset", brains, "--output", verified)
    assert code == 0, told
    code, told = call(engine, "package", tag, *words, "--verified", verified, "--output", output)
    assert code == 0, told
    assert sorted(path.name for path in output.iterdir()) == ["model.tar.gz", "small.tar.gz"]
    with tarfile.open(output / "model.tar.gz") as model:
        assert model.extractfile("weights.txt").read() == b"the weights"


def test_only_what_was_verified_is_packed(
    engine: Engine, package: Container, base_image: str, good: str, verified: Path, tmp_path: Path
) -> None:
    code, told = package(base_image, "--user", "me")
    assert code == 2
    assert "verified was registry.example/team/good:v1" in told
    code, told = package(good, "--user", "me", contract="psmareg26")
    assert code == 2
    assert "run verify registry.example/team/good:v1 --contract psmareg26 again" in told
    assert not (tmp_path / "in").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset": None}, "was verified on a phantom"),
        ({"listed": 38}, "was verified on 1 of 38 pairs"),
        (
            {"findings": [{"name": "image", "text": "runs as root", "kind": "problem"}]},
            "would be rejected: image: runs as root",
        ),
    ],
    ids=["phantom", "limit", "problem"],
)
def test_a_verification_of_less_is_not_enough(
    package: Container, good: str, verified: Path, change: dict[str, object], message: str
) -> None:
    path = verified / "verified.json"
    before = path.read_text()
    path.write_text(json.dumps(json.loads(before) | change))
    try:
        code, told = package(good, "--user", "me")
    finally:
        path.write_text(before)
    assert code == 2
    assert message in told


@pytest.mark.parametrize("words", [(), ("--user", "a/b"), ("--user", "me", "--model", "x")])
def test_words_that_do_not_fit_are_refused(
    package: Container, good: str, words: tuple[str, ...]
) -> None:
    code, told = package(good, *words)
    assert (code, told.count("\n")) == (2, 1)


def rewritten(source: Path, target: Path, change: dict[str, bytes | None]) -> Path:
    """The zip with other members; None leaves one out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        members = {name: old.read(name) for name in old.namelist()} | change
        for name, content in members.items():
            if content is not None:
                new.writestr(name, content)
    return target


def test_what_is_missing_in_a_zip_is_named(zipped: Path, tmp_path: Path) -> None:
    path = rewritten(zipped, tmp_path / "a.zip", {README: b"CPUs: 2\nRAM:  \n", PREDICTIONS: None})
    found = {finding.name: finding.text for finding in check_zip(path, CONTRACT)}
    assert found["zip"] == "validation_predictions.zip is missing; pack it again"
    assert found[README].startswith("nothing about Image, Load, Run, Arguments")
    assert "CPUs" not in found[README]
    assert "RAM" in found[README]


def test_two_images_in_a_zip_are_too_many(zipped: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(zipped) as archive:
        again = archive.read("good.tar.gz")
    path = rewritten(zipped, tmp_path / "a.zip", {"again.tar.gz": again})
    assert "2 files *.tar.gz; exactly one" in next(check_zip(path, CONTRACT)).text


@pytest.mark.parametrize("member", ["good.tar.gz", PREDICTIONS])
def test_a_torn_member_is_found_out(zipped: Path, tmp_path: Path, member: str) -> None:
    with zipfile.ZipFile(zipped) as archive:
        torn = archive.read(member)[:-200]
    path = rewritten(zipped, tmp_path / "a.zip", {member: torn})
    with pytest.raises(ContainerError):
        list(check_zip(path, CONTRACT))


def test_a_flipped_bit_is_found_out(zipped: Path, tmp_path: Path) -> None:
    content = bytearray(zipped.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "a.zip").write_bytes(content)
    (finding,) = check_zip(tmp_path / "a.zip", CONTRACT)
    assert "good.tar.gz is damaged" in finding.text or "predictions.zip is damaged" in finding.text


def test_the_same_image_gives_the_same_bytes(
    package: Container, good: str, zipped: Path, tmp_path: Path
) -> None:
    assert package(good, "--user", "team_1")[0] == 0
    both = [zipped, tmp_path / "in/here" / zipped.name]
    for number, path in enumerate(both):
        with zipfile.ZipFile(path) as archive:
            archive.extract("good.tar.gz", tmp_path / str(number))
    first, second = (sha256(tmp_path / str(number) / "good.tar.gz") for number in range(2))
    assert first == second


def test_a_record_without_verify_is_asked_for(engine: Engine, good: str, tmp_path: Path) -> None:
    words = ("--contract", "lumir24", "--verified", tmp_path, "--user", "me")
    code, told = call(engine, "package", good, *words)
    assert code == 2
    assert "make it with: python -m pipeline container verify" in told
