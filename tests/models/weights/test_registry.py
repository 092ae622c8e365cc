import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from l2r.errors import WeightsError
from models.networks.transmorph.lumir import TransMorphLumirConfig
from models.weights.load import build_network
from models.weights.registry import find_weights, registered

CONTENT = b"weights"
SOURCE = "example.org/weights"
ENTRY = """
[{name}]
file = "files/{name}.safetensors"
sha256 = "{sha256}"
network = {{ name = "transmorph_oasis", sizes = "tiny" }}
title = "Made up"
source = "example.org/weights"
licence = "CC0-1.0"
"""

Register = Callable[..., Path]


@pytest.fixture
def register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Register:
    """Adds an entry to a registry of one's own, with a file of the stated content."""
    monkeypatch.setenv("REGATTA_WEIGHTS", str(tmp_path))
    (tmp_path / "registry.toml").touch()
    (tmp_path / "files").mkdir()

    def add(name: str, stated: bytes = CONTENT) -> Path:
        entry = ENTRY.format(name=name, sha256=hashlib.sha256(stated).hexdigest())
        with (tmp_path / "registry.toml").open("a") as registry:
            registry.write(entry)
        path = tmp_path / "files" / f"{name}.safetensors"
        path.write_bytes(CONTENT)
        return path

    return add


def error_for(weights: str) -> str:
    with pytest.raises(WeightsError) as caught:
        find_weights(Path(weights))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_regatta_ships_is_there_as_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REGATTA_WEIGHTS", raising=False)
    for weights in registered().values():
        assert weights.checked() == weights.path


def test_a_name_means_the_file_of_its_entry(register: Register) -> None:
    register("other")
    path = register("team-3_b")
    assert find_weights(Path("team-3_b")) == path
    assert registered()["team-3_b"].entry.licence == "CC0-1.0"


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth.tar", "w.pth", "w.pt", "w.trch"])
def test_what_ends_like_a_weights_file_is_a_path(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert error_for(name) == f"{name}: no such weights file"
    Path(name).touch()
    assert find_weights(Path(name)) == Path(name)


def test_what_has_a_folder_in_it_is_a_path(tmp_path: Path) -> None:
    assert error_for("folder/team") == "folder/team: no such weights file"
    (tmp_path / "w.onnx").touch()
    assert "w.onnx: not the name of a weights file" in error_for(str(tmp_path / "w.onnx"))


def test_an_unknown_name_is_refused_with_the_known_ones(
    register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "in the registries, which know t1_anatomy, t1_brain; " in error_for("team")
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped/registry.toml").touch()
    monkeypatch.setattr("models.weights.registry.SHIPPED", tmp_path / "shipped")
    assert "in the registries, which are empty; REGATTA_WEIGHTS can name" in error_for("team")
    register("one")
    register("two")
    assert "weights 'team': neither a file, whose name would end in .saf" in error_for("team")
    assert "in the registries, which know one, two; " in error_for("team")


def test_a_missing_file_is_told_with_its_source(register: Register) -> None:
    path = register("team")
    path.unlink()
    assert error_for("team") == f"weights 'team': {path} is not there; get it from {SOURCE}"


def test_another_content_is_refused(register: Register) -> None:
    path = register("team", stated=b"others")
    found, stated = (hashlib.sha256(what).hexdigest()[:12] for what in (CONTENT, b"others"))
    assert error_for("team") == (
        f"weights 'team': {path} has the hash {found}..., but the registry states {stated}...; "
        f"get it again from {SOURCE}"
    )


def test_a_file_that_cannot_be_read_is_told(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    path = register("team")
    monkeypatch.setattr("models.weights.registry.sha256", failing)
    assert error_for("team") == f"{path}: cannot be read: Permission denied"


def test_a_network_is_built_with_weights_by_name_only_if_they_are_the_right_ones(
    register: Register,
) -> None:
    register("team", stated=b"others")
    with pytest.raises(WeightsError, match="has the hash"):
        build_network(TransMorphLumirConfig(weights="team"))


def test_a_registry_that_is_not_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGATTA_WEIGHTS", str(tmp_path))
    assert error_for("team") == (
        f"{tmp_path}/registry.toml: no such registry; REGATTA_WEIGHTS must name a folder with one"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[team", "not valid TOML"),
        ("team = 3", "team: input should be a valid dictionary"),
        ("[team]\nfile = 'x.pth'", "team.sha256: field required; team.network: field required"),
        (ENTRY.format(name="team", sha256="abc"), "team.sha256: string should match pattern"),
        (ENTRY.format(name="team", sha256="0" * 64) + "url = 'x'", "team.url: extra inputs"),
        (ENTRY.format(name="team", sha256="0" * 64).replace("[team]", "['a.pth']"), "a.pth"),
        (ENTRY.format(name="team", sha256="0" * 64).replace("CC0-1.0", ""), "team.licence: "),
    ],
)
def test_a_faulty_registry_is_told_in_one_line(register: Register, text: str, said: str) -> None:
    register("team").parents[1].joinpath("registry.toml").write_text(text)
    assert said in error_for("team")


def test_a_name_in_both_registries_is_refused(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = register("team")
    monkeypatch.setattr("models.weights.registry.SHIPPED", path.parents[1])
    assert "'team' is in Regatta's own registry too; give it another name" in error_for("team")
