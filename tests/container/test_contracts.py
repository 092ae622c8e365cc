"""How each organiser calls a container: the runs that are made of a list, and what they mount."""

import json
import os
from dataclasses import replace
from pathlib import Path, PurePosixPath

import nibabel as nib
import numpy as np
import pytest

from l2r.dataset import read_pairs
from l2r.errors import ConfigError, DatasetError
from l2r.formats.volumes import read_image
from l2r.mounts import find_mounts
from l2r.sockets import read_sockets
from l2r.task import Sockets, task_names
from pipeline.container.check_run import seconds_per_pair
from pipeline.container.contracts import find_contract, known_contracts
from pipeline.container.docker_run import RunOutcome
from pipeline.container.inputs import (
    PairSource,
    VerificationInputs,
    open_for_reading,
    read_inputs,
    refuse_private,
)
from pipeline.container.machine import STRANGER, differences, gpu_notes, limits_for
from pipeline.container.phantom import make_pair
from pipeline.container.readme import command_line
from pipeline.container.runs import field_path, planned_runs

SHAPE = (8, 10, 12)
NAMES = ("lumir24", "lumir25", "psmareg26", "grand-challenge")
INFO = {"MemTotal": 64 << 30, "Runtimes": {"runc": {}, "nvidia": {}}}


def order_of(contract: str, folder: Path, limit: int | None = None) -> VerificationInputs:
    """Of a tiny pair."""
    wanted = find_contract(contract)
    dataset = make_pair(wanted, folder / "data", SHAPE)
    places = (folder / "scratch", folder / "out")
    places[0].mkdir()
    return read_inputs(wanted, PairSource(dataset, dataset.parent, limit), places)


def test_a_list_is_mounted_where_the_main_job_looks_for_it(tmp_path: Path) -> None:
    lists = [one for one in known_contracts().values() if one.dataset is not None]
    assert {contract.name for contract in lists} == {"lumir24", "lumir25"}
    for contract in lists:
        root = tmp_path / contract.name
        dataset = root / str(contract.dataset).lstrip("/")
        dataset.parent.mkdir(parents=True)
        dataset.touch()
        mounts = find_mounts(root)
        assert (mounts.task.name, mounts.dataset) == (contract.task, dataset)
        assert mounts.input == root / str(contract.input).lstrip("/")
        assert mounts.output == root / str(contract.output).lstrip("/")


def test_the_contracts_are_those_of_the_organisers() -> None:
    known = {
        c.name: (c.task, c.call, c.memory_gib, c.gpu, c.user) for c in map(find_contract, NAMES)
    }
    assert known == {
        "lumir24": ("lumir24", "list", 16, False, "image"),
        "lumir25": ("lumir25", "list", 256, True, "caller"),
        "psmareg26": ("psmareg26_test", "arguments", 60, True, "caller"),
        "grand-challenge": ("grand_challenge", "sockets", 32, True, "image"),
    }


def test_every_contract_has_a_task() -> None:
    assert {contract.task for contract in known_contracts().values()} <= set(task_names())


def test_an_unknown_contract_is_named_with_the_known_ones() -> None:
    with pytest.raises(
        ConfigError, match="no contract 'lumir'; there are grand-challenge, lumir24"
    ):
        find_contract("lumir")


@pytest.mark.parametrize("contract", ["lumir24", "lumir25"])
def test_a_whole_list_is_one_run_without_arguments(contract: str, tmp_path: Path) -> None:
    order = order_of(contract, tmp_path)
    (job,) = planned_runs(order)
    mounted = {str(place.target): (place.source, place.writable) for place in job.places}
    assert job.arguments == ()
    assert mounted == {
        str(order.contract.dataset): (tmp_path / "data/PHANTOM_dataset.json", False),
        str(order.contract.input): (tmp_path / "data", False),
        str(order.contract.output): (tmp_path / "out", True),
    }
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o777


def test_what_is_mounted_is_found_by_the_main_job(tmp_path: Path) -> None:
    (job,) = planned_runs(order_of("lumir25", tmp_path))
    root = tmp_path / "root"
    for place in job.places:
        inside = root / place.target.relative_to("/")
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.symlink_to(place.source)
    mounts = find_mounts(root)
    assert mounts.task.name == "lumir25"
    assert len(read_pairs(mounts.dataset, mounts.input)) == 1


def test_psmareg_gets_five_paths_in_the_organisers_order(tmp_path: Path) -> None:
    (job,) = planned_runs(order_of("psmareg26", tmp_path))
    assert job.arguments == (
        "/app/input/PSMARegPSMA_0001_0000_00.nii.gz",
        "/app/input/PSMARegPSMA_0001_0001_00.nii.gz",
        "/app/input/PSMARegPSMA_0001_0000_01.nii.gz",
        "/app/input/PSMARegPSMA_0001_0001_01.nii.gz",
        "/app/output/disp_0001_00_0001_01.nii.gz",
    )
    assert job.pairs == ("disp_0001_00_0001_01.nii.gz",)


def test_a_missing_image_is_no_fault_of_the_container(tmp_path: Path) -> None:
    order = order_of("psmareg26", tmp_path)
    (order.input / "PSMARegPSMA_0001_0001_01.nii.gz").unlink()
    with pytest.raises(DatasetError, match=r"0001_01\.nii\.gz: no such file, but .* give --input"):
        read_inputs(order.contract, PairSource(order.dataset, order.input), (tmp_path, tmp_path))


def test_sockets_are_what_the_main_job_reads(tmp_path: Path) -> None:
    data = tmp_path / "data"
    make_pair(find_contract("grand-challenge"), data, SHAPE)
    affine = np.array([[0, -2, 0, 5], [1.5, 0, 0, -7], [0, 0, 3, 11], [0, 0, 0, 1]])
    fixed = data / "imagesVal/PHANTOM_0002_0000.nii.gz"
    nib.save(nib.Nifti1Image(nib.load(fixed).dataobj, affine), fixed)
    (tmp_path / "scratch").mkdir()
    order = read_inputs(
        find_contract("grand-challenge"),
        PairSource(data / "PHANTOM_dataset.json", data),
        (tmp_path / "scratch", tmp_path / "out"),
    )
    (job,) = planned_runs(order)
    inputs = next(place.source for place in job.places if str(place.target) == "/input")
    pair = read_sockets(inputs / "inputs.json", inputs, Sockets())
    assert (pair.fixed.stem, pair.moving.path.name) == (
        "PHANTOM_0002_0000",
        "PHANTOM_0001_0000.mha",
    )
    handed, stored = read_image(pair.fixed.path), read_image(fixed)
    np.testing.assert_array_equal(handed.array, stored.array)
    np.testing.assert_allclose(handed.affine, affine, atol=1e-5)


def test_weights_beside_the_image_are_mounted_where_they_are_unpacked(tmp_path: Path) -> None:
    (job,) = planned_runs(replace(order_of("grand-challenge", tmp_path), model=tmp_path))
    assert PurePosixPath("/opt/ml/model") in {p.target for p in job.places if not p.writable}


def test_every_job_of_a_platform_has_an_output_of_its_own(tmp_path: Path) -> None:
    order = order_of("grand-challenge", tmp_path)
    (name,) = order.pairs
    case = tmp_path / "out" / name.removesuffix(".nii.gz")
    assert field_path(order, name) == case / "images/displacement-field/output.mha"


def test_a_limited_list_is_a_shorter_list(phantom: Path, tmp_path: Path) -> None:
    data = PairSource(phantom / "PHANTOM_dataset.json", phantom, limit=1)
    order = read_inputs(find_contract("lumir24"), data, (tmp_path, tmp_path / "out"))
    assert (order.listed, len(order.pairs)) == (2, 1)
    listed = json.loads(order.dataset.read_text())["validation"]
    assert [entry["fixed"] for entry in listed] == ["./imagesVal/PHANTOM_0002_0000.nii.gz"]
    assert order.dataset.stat().st_mode & 0o004


def test_the_organisers_limits() -> None:
    lumir25, platform = (find_contract(name) for name in ("lumir25", "grand-challenge"))
    limits = limits_for(lumir25, INFO, None)
    assert (limits.memory_bytes, limits.gpu, limits.hardened) == (64 << 30, True, False)
    assert list(differences(lumir25, limits)) == ["64 GiB of memory, the organiser gives 256 GiB"]
    limits = limits_for(platform, INFO | {"Runtimes": {"runc": {}}}, 4.5)
    assert (limits.memory_bytes, limits.gpu, limits.hardened) == (int(4.5 * 2**30), False, True)
    assert limits.user is None
    assert any("no GPU" in note for note in differences(platform, limits))


@pytest.mark.parametrize(
    ("device_gib", "told"),
    [(None, "nvidia-smi is missing"), (0.02, "0.02 GiB of its memory"), (3.0, None)],
)
def test_a_gpu_that_was_given_and_not_used_is_noted(
    device_gib: float | None, told: str | None
) -> None:
    limits = limits_for(find_contract("lumir25"), INFO, None)
    notes = "".join(gpu_notes(limits, device_gib))
    assert (told or "") in notes
    assert bool(notes) == (told is not None)
    without = limits_for(find_contract("lumir24"), INFO, None)
    assert not list(gpu_notes(without, device_gib))


def test_root_is_never_the_organisers_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 0)
    assert limits_for(find_contract("lumir25"), INFO, None).user == f"{STRANGER}:{STRANGER}"
    monkeypatch.setattr("os.getuid", lambda: 1000)
    monkeypatch.setattr("os.getgid", lambda: 100)
    assert limits_for(find_contract("lumir25"), INFO, None).user == "1000:100"


def test_the_command_line_of_the_readme() -> None:
    assert command_line(find_contract("psmareg26"), "regatta:1") == (
        'docker run --rm --ipc=host --memory 60g --gpus "device=0" --user $(id -u):$(id -g) '
        "--network=none -v INPUT:/app/input:ro -v OUTPUT:/app/output regatta:1 /app/input/CT0 "
        "/app/input/PET0 /app/input/CT1 /app/input/PET1 /app/output/FIELD"
    )
    assert command_line(find_contract("lumir24"), "regatta:1") == (
        "docker run --rm --ipc=host --memory 16g -v INPUT:/input:ro -v OUTPUT:/output "
        "-v LIST:/LUMIR_dataset.json:ro regatta:1"
    )


def ran(seconds: float) -> RunOutcome:
    return RunOutcome(exit_code=0, seconds=seconds, peak_gib=1.0, device_gib=None, log=())


def test_seconds_are_the_manifests_and_else_equal_parts(phantom: Path, tmp_path: Path) -> None:
    data = PairSource(phantom / "PHANTOM_dataset.json", phantom)
    order = read_inputs(find_contract("lumir24"), data, (tmp_path, tmp_path / "out"))
    (job,) = planned_runs(order)
    first, second = order.pairs
    assert seconds_per_pair(order, job, ran(9.0)) == {first: 4.5, second: 4.5}
    pairs = {first: {"seconds": {"read": 1.0, "refine": 2.5}}, second: {"seconds": {"read": 4.0}}}
    (order.output / "manifest.json").write_text(json.dumps({"pairs": pairs}))
    assert seconds_per_pair(order, job, ran(9.0)) == {first: 3.5, second: 4.0}
    (order.output / "manifest.json").write_text(json.dumps({"pairs": {}}))
    assert seconds_per_pair(order, job, ran(9.0)) == {first: 4.5, second: 4.5}


@pytest.mark.parametrize("private", [".", "PSMARegPSMA_0001_0001_00.nii.gz"])
def test_images_that_only_their_owner_reads_are_no_fault_of_the_container(
    tmp_path: Path, private: str
) -> None:
    order = order_of("psmareg26", tmp_path)
    open_for_reading(order.input)
    refuse_private(order, "7:7")
    (order.input / private).chmod(0o700)
    with pytest.raises(DatasetError, match=r"not readable for all, .* user is 7:7; chmod -R a\+rX"):
        refuse_private(order, "7:7")


def test_what_is_made_for_a_run_is_for_everybody(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        (job,) = planned_runs(order_of("grand-challenge", tmp_path))
    finally:
        os.umask(before)
    inputs = next(place.source for place in job.places if str(place.target) == "/input")
    modes = {path.stat().st_mode & 0o777 for path in (inputs, *inputs.rglob("*"))}
    assert modes == {0o755, 0o644}
