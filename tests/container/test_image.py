"""The images, as strictly as an organiser may run them: what they write, and how they end."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from eval.cli import app as judge
from l2r.disk import sha256
from l2r.formats.volumes import write_volume
from l2r.phantom import write_phantom
from tests.container.engine import STRANGER, Engine, RunOutcome, finished, run, started

pytestmark = pytest.mark.docker

LIST = ("--task", "/input/phantom.toml", "--dataset", "/input/PHANTOM_dataset.json")
RUN = ("run", "--config", "configs/any_fast.toml", "--output", "/output")


@pytest.fixture(scope="module")
def inputs(phantom: Path) -> str:
    """The phantom, mounted as an organiser mounts what must not change."""
    phantom.chmod(0o755)
    return f"{phantom}:/input:ro"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return for_all(tmp_path / "output")


@pytest.fixture(scope="module")
def registered(
    engine: Engine, image: str, inputs: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, RunOutcome]:
    """The folder that a strict run has filled, and what it said."""
    folder = for_all(tmp_path_factory.mktemp("registered"))
    return folder, run(engine, image, (*RUN, *LIST), mounts=[inputs, f"{folder}:/output"])


def for_all(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    return folder


def recorded(folder: Path) -> dict[str, dict[str, object]]:
    """The pairs of the manifest, or of the journal that a killed run leaves."""
    manifest, journal = folder / "manifest.json", folder / "manifest.jsonl"
    if manifest.exists():
        return dict(json.loads(manifest.read_text())["pairs"])
    _, *lines = map(json.loads, journal.read_text().splitlines())
    return {line["name"]: line["pair"] for line in lines}


def whole(folder: Path) -> set[str]:
    """The fields that the record of a run knows, each of which must be the one that it means."""
    pairs = recorded(folder)
    assert pairs
    for name, entry in pairs.items():
        assert sha256(folder / name) == entry["field_sha256"]
    for path in folder.glob("*.nii.gz"):
        assert np.isfinite(nib.load(path).get_fdata()).all()
    return set(pairs)


def test_a_stranger_registers_without_network_shared_memory_or_a_place_to_write(
    engine: Engine, image: str, inputs: str, registered: tuple[Path, RunOutcome]
) -> None:
    folder, ran = registered
    assert (ran.code, ran.out) == (0, "2 done in /output\n"), ran.err
    assert whole(folder) == {"disp_0002_0001.nii.gz", "disp_0003_0002.nii.gz"}
    uid, gid = map(int, STRANGER.split(":"))
    assert {(path.stat().st_uid, path.stat().st_gid) for path in folder.iterdir()} == {(uid, gid)}
    checked = run(
        engine, image, ("check", "/output", *LIST), mounts=[inputs, f"{folder}:/output:ro"]
    )
    assert (checked.code, checked.out.count("would accept all 2 fields")) == (0, 1), checked


def test_the_judge_scores_them_as_on_the_host(
    engine: Engine,
    eval_image: str,
    inputs: str,
    phantom: Path,
    registered: tuple[Path, RunOutcome],
    output: Path,
) -> None:
    folder, _ = registered
    words = ("score", "/fields", *LIST, "--ground-truth", "/input", "--output", "/output/m.json")
    mounts = [inputs, f"{folder}:/fields:ro", f"{output}:/output"]
    scored = run(engine, eval_image, words, mounts=mounts)
    assert scored.code == 0, scored.err
    places = {"/input": phantom, "/fields": folder, "/output/m.json": output / "host.json"}
    here = [word.replace("/input", str(phantom)) for word in words]
    here = [str(places.get(word, word)) for word in here]
    assert CliRunner().invoke(judge, here).exit_code == 0
    there = json.loads((output / "m.json").read_text())
    assert there == json.loads((output / "host.json").read_text())
    assert there["aggregates"]["DSC"]["mean"] > 0.8


def test_a_corrupt_image_costs_its_own_pair_alone(
    engine: Engine, image: str, tmp_path: Path, output: Path
) -> None:
    folder = for_all(tmp_path / "input")
    write_phantom(folder, subjects=4)
    damaged = folder / "imagesVal" / "PHANTOM_0001_0000.nii.gz"
    damaged.write_bytes(damaged.read_bytes()[:2000])
    mounts = [f"{folder}:/input:ro", f"{output}:/output"]
    ran = run(engine, image, (*RUN, *LIST), mounts=mounts)
    assert (ran.code, ran.out) == (1, "1 fallback, 2 done in /output\n")
    assert "disp_0002_0001.nii.gz: FAILED, zero field written: /input/imagesVal/PHANTOM" in ran.err
    assert len(whole(output)) == 3
    assert not nib.load(output / "disp_0002_0001.nii.gz").get_fdata().any()
    assert nib.load(output / "disp_0003_0002.nii.gz").get_fdata().any()


@pytest.mark.parametrize(
    ("words", "missing", "told"),
    [
        (
            (),
            {"/input", "/output"},
            "no pair list is mounted (/app/input_dataset.json, /input/inputs.json",
        ),
        ((*RUN, *LIST), {"/input", "/output"}, "/input/phantom.toml"),
        ((*RUN, *LIST), {"/output"}, "/output: cannot be used: Read-only file system"),
        (
            (*RUN, *LIST, "--input", "/images"),
            {"/output"},
            "none of the images of its 2 pairs can be seen in /images",
        ),
    ],
)
def test_what_is_not_mounted_is_told_in_one_line(
    engine: Engine, image: str, inputs: str, words: Sequence[str], missing: set[str], told: str
) -> None:
    mounts = [mount for mount in [inputs] if mount.split(":")[1] not in missing]
    ran = run(engine, image, words, mounts=mounts)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1), ran.err
    assert told in ran.err


def test_an_output_of_somebody_else_is_told_in_one_line(
    engine: Engine, image: str, inputs: str, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    ran = run(engine, image, (*RUN, *LIST), mounts=[inputs, f"{tmp_path}:/output"])
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1), ran.err
    assert ran.err.startswith("error: /output")
    assert ran.err.endswith("Permission denied\n")
    assert not list(tmp_path.iterdir())


def test_too_little_memory_kills_the_run_and_leaves_whole_fields(
    engine: Engine, image: str, tmp_path: Path, output: Path
) -> None:
    folder = for_all(tmp_path / "input")
    dataset = write_phantom(folder, subjects=4)
    write_volume(folder / "imagesVal" / "huge.nii.gz", np.ones((400, 400, 400), np.uint8))
    listed = json.loads(dataset.read_text())
    huge = "./imagesVal/huge.nii.gz"
    listed["validation"].append({"fixed": huge, "moving": huge})
    dataset.write_text(json.dumps(listed))
    words = (*RUN, "--task", "any", "--dataset", "/input/PHANTOM_dataset.json")
    mounts = [f"{folder}:/input:ro", f"{output}:/output"]
    little: dict[str, object] = {"mem_limit": "512m", "memswap_limit": "512m"}
    assert run(engine, image, words, mounts=mounts, **little).code == 137
    done = whole(output)
    assert 1 <= len(done) <= 3
    again = run(engine, image, (*words, "--limit", "1"), mounts=mounts)
    assert (again.code, again.out) == (0, "1 skipped in /output\n"), again.err


def test_docker_stop_ends_at_once_and_leaves_whole_fields(
    engine: Engine, image: str, tmp_path: Path, output: Path
) -> None:
    folder = for_all(tmp_path / "input")
    write_phantom(folder, shape=(64, 80, 72), subjects=8)
    mounts = [f"{folder}:/input:ro", f"{output}:/output"]
    with started(engine, image, (*RUN, *LIST), mounts=mounts) as container:
        while not list(output.glob("disp_*")):
            container.reload()
            assert container.status == "running"
            time.sleep(0.1)
        container.stop(timeout=60)
        assert finished(container).code == 130
    assert 1 <= len(whole(output)) < 7


def test_the_judge_comes_without_what_only_the_pipeline_needs(
    engine: Engine, eval_image: str
) -> None:
    names = ["torch", "safetensors", "docker", "sympy", "pip", "models", "pipeline"]
    code = f"from importlib.util import find_spec; print([n for n in {names} if find_spec(n)])"
    ran = run(engine, eval_image, ("-c", code), mounts=[], entrypoint=["python"])
    assert (ran.code, ran.out) == (0, "[]\n"), ran.err
