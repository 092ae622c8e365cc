"""The commands about weights, and weights by name in a run file."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from l2r.grid import GridRule
from models.networks.transmorph import four_levels
from models.networks.transmorph.classic import (
    TransMorphIxiConfig,
    TransMorphOasis,
    TransMorphOasisConfig,
)
from models.weights.load import build_network
from pipeline.register.config import RunConfig, load_run
from tests.pipeline.conftest import Command, Ran

ROOT = Path(__file__).parents[3]
OASIS = TransMorphOasisConfig(sizes="tiny")
ENTRY = """
[{name}]
file = "{file}"
sha256 = "{sha256}"
network = {{ name = "transmorph_oasis", sizes = "tiny" }}
title = "Made up"
source = "example.org/weights"
licence = "CC0-1.0"
"""

Register = Callable[[str, Path], None]


@pytest.fixture
def state() -> dict[str, Tensor]:
    """Weights that move images by some voxels."""
    torch.manual_seed(0)
    model = OASIS.build()
    torch.nn.init.normal_(model.reg_head[0].weight, std=0.5)
    return dict(model.state_dict())


@pytest.fixture
def published(state: dict[str, Tensor], tmp_path: Path) -> Path:
    """As the authors of TransMorph publish weights."""
    grids = {"spatial_trans.grid": torch.zeros(1, 3, 2, 2, 2)}
    path = tmp_path / "published.pth.tar"
    torch.save({"epoch": 3, "state_dict": state | grids, "optimizer": {"state": {}}}, path)
    return path


@pytest.fixture
def register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Register:
    """Gives a file a name in a registry of one's own."""
    folder = tmp_path / "team"
    folder.mkdir()
    monkeypatch.setenv("REGATTA_WEIGHTS", str(folder))
    (folder / "registry.toml").touch()

    def add(name: str, path: Path) -> None:
        with (folder / "registry.toml").open("a") as registry:
            registry.write(ENTRY.format(name=name, file=path, sha256=hash_of(path)))

    return add


def hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def loaded(state: dict[str, Tensor]) -> TransMorphOasis:
    model = OASIS.build().eval()
    model.load_state_dict(state)
    return model


def told(ran: Ran) -> str:
    """The one line about bad input."""
    assert ran.code == 2
    assert ran.err.startswith("error: ")
    assert ran.err.count("\n") == 1
    return ran.err


def test_inspect_says_what_a_file_holds_and_how_to_use_it(
    command: Command, published: Path, state: dict[str, Tensor], tmp_path: Path
) -> None:
    ran = command("weights", "inspect", published)
    facts, run_file = ran.out.split("\n\n")
    count = sum(parameter.numel() for parameter in OASIS.build().parameters())
    assert ran.code == 0
    assert facts.splitlines() == [
        f"file        {published}",
        f"size        {published.stat().st_size:,} bytes",
        f"sha256      {hash_of(published)}",
        "container   state_dict",
        "left out    epoch, optimizer, spatial_trans.grid",
        f"tensors     {len(state)} (153 float32, 10 int64)",
        f"parameters  {count:,}",
        'fits        name = "transmorph_oasis" with sizes = "tiny"',
    ]
    (tmp_path / "run.toml").write_text(run_file)
    assert load_run(tmp_path / "run.toml") == RunConfig(
        model=OASIS.model_copy(update={"weights": published})
    )


def test_inspect_takes_a_name_and_gives_it_to_the_run_file(
    command: Command, published: Path, register: Register
) -> None:
    register("team", published)
    ran = command("weights", "inspect", "team")
    assert ran.code == 0
    assert str(published) in ran.out
    assert tomllib.loads(ran.out.split("\n\n")[1])["model"]["weights"] == "team"


def test_inspect_names_the_nearest_where_nothing_fits(
    command: Command, state: dict[str, Tensor], tmp_path: Path
) -> None:
    del state["c1.0.weight"]
    save_file(state, tmp_path / "w.safetensors")
    ran = command("weights", "inspect", tmp_path / "w.safetensors")
    assert ran.code == 1
    assert "container   safetensors\nleft out    nothing\n" in ran.out
    assert ran.out.endswith(
        "fits        nothing in the catalogue\n"
        'resembles   name = "transmorph_oasis" with sizes = "tiny": 1 missing (c1.0.weight)\n'
    )


def test_inspect_finds_no_resemblance_where_there_is_none(command: Command, tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2)}, tmp_path / "w.pth")
    ran = command("weights", "inspect", tmp_path / "w.pth")
    assert (ran.code, ran.out.splitlines()[-1]) == (1, "resembles   no network")


def test_verify_finds_good_weights_good(
    command: Command, published: Path, register: Register
) -> None:
    register("team", published)
    ran = command("weights", "verify", published, "team", "--all")
    fits = 'fits name = "transmorph_oasis" with sizes = "tiny", finite field on 32 x 32 x 64 voxels'
    assert ran.code == 0
    ours = 'fits name = "pyramid", finite field on 32 x 32 x 48 voxels'
    assert ran.out.splitlines() == [
        f"good  {published}: {fits}",
        f"good  team: hash as stated, {fits}",
        f"good  t1_brain: hash as stated, {ours}",
        'good  t1_anatomy: hash as stated, fits name = "segmentation", '
        "finite soft labels on 20 x 24 x 40 voxels",
    ]


@pytest.mark.slow
def test_verify_finds_each_fault_and_goes_on(
    command: Command, published: Path, state: dict[str, Tensor], register: Register, tmp_path: Path
) -> None:
    diverged, other, gone = (tmp_path / f"{name}.safetensors" for name in ("nan", "ixi", "gone"))
    save_file(state | {"reg_head.0.bias": torch.full((3,), torch.nan)}, diverged)
    save_file(TransMorphIxiConfig(sizes="tiny").build().state_dict(), other)
    save_file(state, gone)
    register("other", other)
    register("gone", gone)
    register("changed", published)
    gone.unlink()
    with published.open("ab") as file:
        file.write(b"x")
    ran = command(
        "weights", "verify", diverged, "changed", "gone", "other", tmp_path / "ixi.safetensors"
    )
    assert ran.code == 1
    first, second, third, fourth, fifth = ran.out.splitlines()
    assert first.startswith(f"bad   {diverged}: gives NaN or infinite displacements")
    assert second.startswith(f"bad   weights 'changed': {published} has the hash")
    assert third.startswith(f"bad   weights 'gone': {gone} is not there")
    assert fourth.startswith(f"bad   {other}: does not fit TransMorphOasis: 2 unexpected (up4.")
    assert fourth.endswith('it fits model name = "transmorph_ixi" with sizes = "tiny"')
    assert fifth.startswith(f'good  {other}: fits name = "transmorph_ixi"')


@pytest.mark.slow
def test_verify_asks_for_the_network_that_is_named(command: Command, published: Path) -> None:
    good = command("weights", "verify", published, "--network", "transmorph_oasis")
    bad = command("weights", "verify", published, "--network", "transmorph_ixi")
    assert (good.code, bad.code) == (0, 1)
    assert "does not fit TransMorphIxi" in bad.out


def test_verify_says_where_no_field_was_computed(
    command: Command, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = GridRule(32, exactly=(160, 192, 224))
    monkeypatch.setattr(four_levels, "grid_rule", lambda *_: whole)
    ran = command("weights", "verify", published)
    assert ran.code == 0
    assert ran.out.endswith(
        "no field computed: its grid of 160 x 192 x 224 voxels takes too long for a check\n"
    )


def test_verify_refuses_an_entry_without_a_network_that_has_weights(
    command: Command, published: Path, register: Register, tmp_path: Path
) -> None:
    register("team", published)
    registry = tmp_path / "team" / "registry.toml"
    text = registry.read_text()
    for network, said in (("transmorf", "does not match any of"), ("identity", "has weights")):
        registry.write_text(text.replace('"transmorph_oasis", sizes = "tiny"', f'"{network}"'))
        ran = command("weights", "verify", "team")
        assert ran.code == 1
        assert ran.out.startswith("bad   weights 'team': network")
        assert said in ran.out


def test_verify_all_has_nothing_to_do_where_nothing_is_registered(
    command: Command, register: Register, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("models.weights.registry.SHIPPED", tmp_path / "team")
    ran = command("weights", "verify", "--all")
    assert (ran.code, ran.out) == (0, "no weights in the registry\n")


@pytest.mark.slow
def test_a_converted_file_is_smaller_fits_and_gives_the_same_field(
    command: Command, published: Path, state: dict[str, Tensor], tmp_path: Path
) -> None:
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    assert command("weights", "convert", published, whole).code == 0
    assert command("weights", "convert", published, half, "--dtype", "float16").code == 0
    torch.testing.assert_close(load_file(whole), state, rtol=0, atol=0)
    assert half.stat().st_size < whole.stat().st_size < published.stat().st_size
    images = torch.rand((2, 1, 1, 32, 32, 32), generator=torch.Generator().manual_seed(0))
    rounded = {name: value.half().float() for name, value in state.items()}
    with torch.inference_mode():
        expected = loaded(state)(*images)
        for path, values in ((whole, state), (half, rounded)):
            found = build_network(OASIS.model_copy(update={"weights": path})).eval()(*images)
            torch.testing.assert_close(found, loaded(values)(*images), rtol=0, atol=0)
            torch.testing.assert_close(found, expected, rtol=0, atol=0.1)
    assert expected.abs().max() > 2


def test_convert_prints_an_entry_that_verifies_when_it_is_filled_in(
    command: Command, published: Path, register: Register, tmp_path: Path
) -> None:
    folder = tmp_path / "team"
    ran = command("weights", "convert", published, folder / "my weights.safetensors")
    first, entry = ran.out.split("\n\n")
    assert first.startswith(f"{folder / 'my weights.safetensors'}: 163 tensors, ")
    (folder / "registry.toml").write_text(entry.replace('""', '"made up"'))
    checked = command("weights", "verify", "my-weights")
    assert (checked.code, checked.out[:6]) == (0, "good  "), checked.out + checked.err


def test_convert_leaves_the_network_open_where_no_published_one_fits(
    command: Command, tmp_path: Path
) -> None:
    torch.save({"weight": torch.zeros(2)}, tmp_path / "w.pth")
    ran = command("weights", "convert", tmp_path / "w.pth", tmp_path / "w.safetensors")
    assert ran.code == 0
    assert "network = {}  # fits no published one: say which" in ran.out


@pytest.mark.slow
def test_convert_replaces_only_the_file_that_it_reads(
    command: Command, published: Path, tmp_path: Path
) -> None:
    path, other = tmp_path / "w.safetensors", tmp_path / "other.safetensors"
    other.write_bytes(b"precious")
    assert "is there already" in told(command("weights", "convert", published, other))
    assert other.read_bytes() == b"precious"
    assert command("weights", "convert", published, path).code == 0
    before = path.stat().st_size
    assert command("weights", "convert", path, path, "--dtype", "float16").code == 0
    assert path.stat().st_size < before
    assert not list(tmp_path.glob(".*"))


def test_a_refused_conversion_leaves_nothing_behind(
    command: Command, state: dict[str, Tensor], tmp_path: Path
) -> None:
    state["c1.0.weight"][0] = 1e5
    source = tmp_path / "w.safetensors"
    save_file(state, source)
    before = source.read_bytes()
    said = told(command("weights", "convert", source, source, "--dtype", "float16"))
    assert "c1.0.weight has numbers up to 100000, but float16 ends at 65504" in said
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]
    assert source.read_bytes() == before


class Attack:
    """Runs a command when unpickled without care."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.trace}",)


@pytest.mark.parametrize("words", [("inspect",), ("convert", "{folder}/out.safetensors")])
@pytest.mark.parametrize("raw", [True, False])
def test_a_malicious_pickle_is_refused_and_does_not_run(
    command: Command, tmp_path: Path, words: Sequence[str], raw: bool
) -> None:
    trace, path = tmp_path / "trace", tmp_path / "w.pth"
    content = {"state_dict": {"a": torch.ones(1)}, "optimizer": Attack(trace)}
    if raw:
        path.write_bytes(pickle.dumps(Attack(trace)))
    else:
        torch.save(content, path)
    name, *others = words
    said = told(command("weights", name, path, *(word.format(folder=tmp_path) for word in others)))
    assert "not a weights file" in said if raw else "refused: it asks for 'posix.system'" in said
    verified = command("weights", "verify", path)
    assert (verified.code, verified.out[:6]) == (1, "bad   ")
    assert not trace.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("inspect", "no.pth"), "no.pth: no such weights file"),
        (("inspect", "team"), "weights 'team': neither a file"),
        (("inspect", "{folder}/broken.pth"), "damaged, cut off or not a weights file"),
        (("inspect", "{folder}/broken.onnx"), "not the name of a weights file"),
        (("inspect", "{folder}/tensor.pth"), "holds no state_dict but a Tensor"),
        (("verify",), "nothing to verify: give names"),
        (("verify", "no.pth"), "no.pth: no such weights file"),
        (("verify", "team"), "weights 'team': neither a file"),
        (
            ("verify", "{folder}/tensor.pth", "--network", "x"),
            "--network x: no such network; there",
        ),
        (("convert", "no.pth", "out.safetensors"), "no.pth: no such weights file"),
        (("convert", "{folder}/tensor.pth", "{folder}/out.pth"), "must end in .safetensors"),
        (("convert", "{folder}/tensor.pth", "{folder}/x.safetensors"), "holds no state_dict"),
    ],
)
def test_bad_input_is_told_in_one_line(
    command: Command, tmp_path: Path, words: Sequence[str], said: str
) -> None:
    (tmp_path / "broken.pth").write_bytes(b"<html>404</html>")
    (tmp_path / "broken.onnx").write_bytes(b"onnx")
    torch.save(torch.ones(1), tmp_path / "tensor.pth")
    assert said in told(command("weights", *(word.format(folder=tmp_path) for word in words)))


def test_a_folder_that_cannot_be_written_to_is_told(
    command: Command, published: Path, tmp_path: Path
) -> None:
    target = tmp_path / "no" / "w.safetensors"
    assert "cannot be written" in told(command("weights", "convert", published, target))


def test_the_network_is_not_asked_of_a_name(
    command: Command, published: Path, register: Register
) -> None:
    register("team", published)
    said = told(command("weights", "verify", "team", "--network", "transmorph_oasis"))
    assert "--network is for files; the registry says what 'team' is" in said


def test_the_help_and_a_wrong_name_need_no_torch() -> None:
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from pipeline.cli import app\n"
        "for words in (['--help'], ['inspect', '--help'], ['inspect', 'nobody'], ['verify'], "
        "['verify', 'no.pth'], ['convert', 'nobody', 'out.safetensors']):\n"
        "    CliRunner().invoke(app, ['weights', *words])\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


RUN_FILE = '[model]\nname = "transmorph_oasis"\nsizes = "tiny"\nweights = "team"\n'


def test_a_run_file_gives_weights_by_name_and_the_manifest_their_hash(
    command: Command,
    words: Sequence[str | Path],
    quick: Path,
    published: Path,
    register: Register,
    tmp_path: Path,
) -> None:
    register("team", published)
    quick.write_text(RUN_FILE)
    ran = command("run", *words)
    assert ran.code == 0, ran.err
    settings = json.loads((tmp_path / "out/manifest.json").read_text())["settings"]
    assert settings["weights_sha256"] == hash_of(published)
    assert settings["config"]["model"]["weights"] == "team"


def test_a_run_ends_at_once_where_the_named_weights_are_others(
    command: Command, words: Sequence[str | Path], quick: Path, published: Path, register: Register
) -> None:
    register("team", published)
    published.write_bytes(published.read_bytes() + b"x")
    quick.write_text(RUN_FILE)
    assert "has the hash" in told(command("run", *words))
