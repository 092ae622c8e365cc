"""What the Dockerfile makes: what a platform looks at first, and the weights inside."""

import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from docker.errors import BuildError
from safetensors.torch import save_file

from l2r import __version__
from l2r.disk import sha256
from models.networks.transmorph.classic import TransMorphOasisConfig
from tests.container.engine import Engine, build, run

pytestmark = pytest.mark.docker

MEGABYTE = 1_000_000
ENTRY = """
[tiny]
file = "tiny.safetensors"
sha256 = "{sha256}"
network = {{ name = "transmorph_oasis", sizes = "tiny" }}
title = "Made up"
source = "example.org/weights"
licence = "CC0-1.0"
"""


@pytest.fixture
def tiny(context: Path) -> Iterator[Path]:
    """Weights among those that the next build bakes in, for its owner alone to read."""
    folder, kept = context / "models" / "trained", context / "kept"
    shutil.copytree(folder, kept)
    path = folder / "tiny.safetensors"
    torch.manual_seed(0)
    save_file(TransMorphOasisConfig(sizes="tiny").build().state_dict(), path)
    path.chmod(0o600)
    with (folder / "registry.toml").open("a") as registry:
        registry.write(ENTRY.format(sha256=sha256(path)))
    yield path
    shutil.rmtree(folder)
    kept.rename(folder)


@pytest.mark.parametrize(("name", "most"), [("image", 1400), ("eval_image", 700)])
def test_what_a_platform_looks_at(
    engine: Engine, request: pytest.FixtureRequest, name: str, most: int
) -> None:
    facts = engine.client.images.get(request.getfixturevalue(name)).attrs
    uid, gid = map(int, facts["Config"]["User"].split(":"))
    assert uid > 0
    assert gid > 0
    assert (facts["Os"], facts["Architecture"]) == ("linux", "amd64")
    assert facts["Size"] < most * MEGABYTE
    said = {key.rpartition(".")[2]: value for key, value in facts["Config"]["Labels"].items()}
    assert said.keys() == {"title", "description", "licenses", "version", "revision"}
    assert said["version"] == __version__


def test_a_saved_image_is_one_image(engine: Engine, image: str) -> None:
    with tempfile.TemporaryFile() as file:
        file.writelines(engine.client.images.get(image).save(named=True))
        file.seek(0)
        with tarfile.open(fileobj=file) as archive:
            manifest = archive.extractfile("manifest.json")
            assert manifest is not None
            assert [entry["RepoTags"] for entry in json.load(manifest)] == [[image]]


def test_everyone_can_read_and_only_root_can_write_what_is_inside(
    engine: Engine, image: str
) -> None:
    places = "/app /opt/venv"
    words = ("-c", f"find {places} ! -readable; find {places} -writable ! -type l")
    ran = run(engine, image, words, mounts=[], entrypoint=["sh"])
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_weights_are_baked_in_and_checked(
    engine: Engine, context: Path, build_args: dict[str, str], image: str, tiny: Path
) -> None:
    baked = build(engine, context, build_args, "run", tag="regatta:tiny")
    verified = run(engine, baked, ("weights", "verify", "tiny"), mounts=[])
    assert (verified.code, verified.out[:25]) == (0, "good  tiny: hash as stated"[:25]), verified
    content = bytearray(tiny.read_bytes())
    content[-1] ^= 1
    tiny.write_bytes(content)
    with pytest.raises(BuildError, match="weights verify --all' returned a non-zero code: 1") as no:
        build(engine, context, build_args, "run", tag="regatta:tampered")
    assert "has the hash" in "".join(part.get("stream", "") for part in no.value.build_log)
