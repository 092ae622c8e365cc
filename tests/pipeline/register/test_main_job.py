"""The product's main job on a phantom: pair list in, accepted fields out, whatever goes wrong."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.pipeline.conftest import Command

ROOT = Path(__file__).parents[3]
Words = Sequence[str | Path]
FIRST, SECOND = "disp_0002_0001.nii.gz", "disp_0003_0002.nii.gz"


def manifest_of(folder: Path) -> dict[str, dict[str, dict[str, object]]]:
    return json.loads((folder / "manifest.json").read_text())


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("disp_*")}


def test_it_writes_what_the_scorer_accepts_and_says_how(
    command: Command, words: Words, phantom: Path, tmp_path: Path
) -> None:
    ran = command("run", *words)
    assert (ran.code, ran.out.split(" in ")[0]) == (0, "2 done")
    assert sorted(content(tmp_path / "out")) == [FIRST, SECOND]
    field = nib.load(tmp_path / "out" / FIRST)
    assert field.shape == (32, 40, 36, 3)
    assert field.get_data_dtype() == np.float32
    checked = command(
        "check",
        tmp_path / "out",
        "--task",
        phantom / "phantom.toml",
        "--dataset",
        phantom / "PHANTOM_dataset.json",
    )
    assert checked.code == 0, checked.err
    entry = manifest_of(tmp_path / "out")["pairs"][FIRST]
    assert entry["status"] == "done"
    assert entry["fixed"] == "imagesVal/PHANTOM_0002_0000.nii.gz"
    assert set(entry["seconds"]) == {"read", "predict", "refine", "write"}


def test_it_registers(command: Command, words: Words, phantom: Path, tmp_path: Path) -> None:
    assert command("run", *words).code == 0
    scored = subprocess.run(
        [
            sys.executable, "-m", "eval", "score", tmp_path / "out",
            "--task", phantom / "phantom.toml", "--dataset", phantom / "PHANTOM_dataset.json",
            "--ground-truth", phantom, "--output", tmp_path / "metrics.json",
        ],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert "DSC" in scored.stdout
    after = json.loads((tmp_path / "metrics.json").read_text())["aggregates"]["DSC"]["mean"]
    before = np.mean([unregistered_dice(phantom, 2, 1), unregistered_dice(phantom, 3, 2)])
    assert after > before + 0.05


def unregistered_dice(phantom: Path, fixed: int, moving: int) -> float:
    maps = [
        np.asarray(nib.load(phantom / f"labelsVal/PHANTOM_000{n}_0000.nii.gz").dataobj)
        for n in (fixed, moving)
    ]
    return float(
        np.mean([
            2 * ((maps[0] == label) & (maps[1] == label)).sum()
            / ((maps[0] == label).sum() + (maps[1] == label).sum())
            for label in np.unique(maps[0])
        ])
    )  # fmt: skip


def test_a_second_run_makes_nothing_anew(command: Command, words: Words, tmp_path: Path) -> None:
    command("run", *words)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    ran = command("run", *words)
    assert (ran.code, ran.out.split(" in ")[0]) == (0, "2 skipped")
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}


def test_without_resume_everything_is_made_anew_with_the_same_bits(
    command: Command, words: Words, tmp_path: Path
) -> None:
    command("run", *words)
    first = content(tmp_path / "out")
    assert command("run", *words, "--no-resume").out.startswith("2 done")
    assert content(tmp_path / "out") == first


def damaged_field(out: Path, _: Path) -> None:
    (out / FIRST).write_bytes((out / SECOND).read_bytes())


def lost_manifest(out: Path, _: Path) -> None:
    (out / "manifest.json").unlink()


def torn_journal(out: Path, _: Path) -> None:
    (out / "manifest.json").unlink()
    (out / "manifest.jsonl").write_text('{"settings_sha')


def torn_manifest(out: Path, _: Path) -> None:
    (out / "manifest.json").write_text('{"pairs": ')


def other_settings(_: Path, quick: Path) -> None:
    quick.write_text(quick.read_text().replace("weight = 0.1", "weight = 0.2"))


@pytest.mark.parametrize(
    ("spoil", "again"),
    [
        (damaged_field, 1),
        (lost_manifest, 2),
        (torn_manifest, 2),
        (torn_journal, 2),
        (other_settings, 2),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_field_is_kept_only_if_the_manifest_vouches_for_it(
    command: Command,
    words: Words,
    quick: Path,
    tmp_path: Path,
    spoil: Callable[[Path, Path], None],
    again: int,
) -> None:
    command("run", *words)
    spoil(tmp_path / "out", quick)
    ran = command("run", *words)
    assert f"{again} done" in ran.out
    assert ("skipped" in ran.out) == (again == 1)


def test_a_changed_image_is_registered_anew(
    command: Command, words: Words, phantom: Path, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    shutil.copytree(phantom / "imagesVal", images / "imagesVal")
    command("run", *words, "--input", images)
    third = images / "imagesVal/PHANTOM_0003_0000.nii.gz"
    shutil.copy(images / "imagesVal/PHANTOM_0001_0000.nii.gz", third)
    ran = command("run", *words, "--input", images)
    assert sorted(ran.out.split(" in ")[0].split(", ")) == ["1 done", "1 skipped"]


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2000])


def text(path: Path) -> None:
    path.write_text("this is no image")


def four_dimensional(path: Path) -> None:
    nib.save(
        nib.Nifti1Image(np.random.default_rng(0).random((8, 8, 8, 2), np.float32), np.eye(4)), path
    )


def other_shape(path: Path) -> None:
    nib.save(
        nib.Nifti1Image(np.random.default_rng(0).random((8, 9, 10), np.float32), np.eye(4)), path
    )


def not_a_number(path: Path) -> None:
    array = np.ones((32, 40, 36), np.float32)
    array[3, 4, 5] = np.nan
    nib.save(nib.Nifti1Image(array, np.eye(4)), path)


def constant(path: Path) -> None:
    nib.save(nib.Nifti1Image(np.full((32, 40, 36), 7, np.uint8), np.eye(4)), path)


def not_gzip(path: Path) -> None:
    path.write_bytes(b"\x1f\x8b" + b"junk" * 50)


def unreadable(path: Path) -> None:
    path.unlink()
    path.mkdir()


def missing(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (truncated, "truncated"),
        (text, "not a NIfTI"),
        (four_dimensional, "3-D volume"),
        (other_shape, "asks for (32, 40, 36)"),
        (not_a_number, "NaN"),
        (constant, "constant"),
        (not_gzip, "cannot be read"),
        (unreadable, "cannot be read"),
        (missing, "no such file"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_bad_image_costs_its_own_pair_only(
    command: Command,
    words: Words,
    phantom: Path,
    tmp_path: Path,
    spoil: Callable[[Path], None],
    told: str,
) -> None:
    images = tmp_path / "images"
    shutil.copytree(phantom / "imagesVal", images / "imagesVal")
    bad = images / "imagesVal/PHANTOM_0003_0000.nii.gz"
    spoil(bad)
    ran = command("run", *words, "--input", images)
    assert ran.code == 1
    lines = [line for line in ran.err.splitlines() if "FAILED" in line]
    assert len(lines) == 1
    assert bad.name in lines[0]
    assert told in lines[0]
    assert "Traceback" not in ran.err
    pairs = manifest_of(tmp_path / "out")["pairs"]
    assert (pairs[FIRST]["status"], pairs[SECOND]["status"]) == ("done", "fallback")
    assert not np.asarray(nib.load(tmp_path / "out" / SECOND).dataobj).any()
    assert np.asarray(nib.load(tmp_path / "out" / FIRST).dataobj).any()


def test_a_failed_pair_is_tried_again_and_a_good_one_is_not(
    command: Command, words: Words, phantom: Path, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    shutil.copytree(phantom / "imagesVal", images / "imagesVal")
    bad = images / "imagesVal/PHANTOM_0003_0000.nii.gz"
    text(bad)
    assert command("run", *words, "--input", images).code == 1
    shutil.copy(phantom / "imagesVal" / bad.name, bad)
    ran = command("run", *words, "--input", images)
    assert (ran.code, sorted(ran.out.split(" in ")[0].split(", "))) == (0, ["1 done", "1 skipped"])


@pytest.mark.parametrize(
    ("dataset", "told"),
    [
        ('{"validation": [{"fixed": "a.nii.gz" "moving": "b.nii.gz"}]}', "line 1, column 38"),
        ('{"validation": []}', "empty"),
        ('{"validation": [{"fixed": "../a_0001_0000.nii.gz", "moving": "b.nii.gz"}]}', "leaves"),
        ('{"validation": [{"fixed": 3, "moving": "b.nii.gz"}]}', "validation: 0.fixed"),
        ('[{"fixed": "a_0001_0000.nii.gz", "moving": "a_0002_0000.nii.gz"}]', "--input"),
    ],
    ids=["typo", "empty", "escape", "type", "nothing there"],
)
def test_a_bad_pair_list_is_one_line_and_code_2(
    command: Command, words: Words, tmp_path: Path, dataset: str, told: str
) -> None:
    path = tmp_path / "pairs.json"
    path.write_text(dataset)
    ran = command("run", *words, "--dataset", path)
    assert ran.code == 2
    assert ran.err.startswith("error: ")
    assert len(ran.err.strip().splitlines()) == 1
    assert told in ran.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words_more", "told"),
    [
        (["--device", "cuda:99"], "GPUs"),
        (["--device", "tpu"], "no such device"),
        (["--config", "nowhere.toml"], "no such file"),
        (
            ["--config", "fast"],
            "fast: no such file, nor a run file of Regatta; these are: any_accurate",
        ),
        (["--task", "lumir99"], "known are"),
        (["--split", "training"], "empty"),
        (["--split", "third"], "it has pairs under validation"),
    ],
)
def test_a_bad_argument_is_one_line_and_code_2(
    command: Command, words: Words, words_more: list[str], told: str
) -> None:
    ran = command("run", *words, *words_more)
    assert (ran.code, len(ran.err.strip().splitlines())) == (2, 1)
    assert told in ran.err


def test_an_unknown_key_of_a_run_file_is_named(command: Command, words: Words, quick: Path) -> None:
    quick.write_text(quick.read_text().replace("weight = 0.1", "wieght = 0.1"))
    ran = command("run", *words)
    assert ran.code == 2
    assert "wieght" in ran.err


def test_an_output_that_is_a_file_is_refused_and_kept(
    command: Command, words: Words, tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("precious")
    ran = command("run", *words)
    assert (ran.code, len(ran.err.strip().splitlines())) == (2, 1)
    assert (tmp_path / "out").read_text() == "precious"


@pytest.fixture
def small_disk(command: Command, words: Words, tmp_path: Path) -> Iterator[Path]:
    """A real file system with room for one field and the manifest, but not for two fields."""
    command("run", *words, "--limit", "1")
    size = int(1.5 * (tmp_path / "out" / FIRST).stat().st_size)
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
    try:
        subprocess.run(mount, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_ends_the_run_and_keeps_what_is_there(
    command: Command, words: Words, small_disk: Path
) -> None:
    out = small_disk / "out"
    ran = command("run", *words, "--output", out)
    assert ran.code == 2
    errors = [line for line in ran.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "No space left" in errors[0]
    pairs = manifest_of(out)["pairs"]
    assert [entry["status"] for entry in pairs.values()] == ["done"]
    assert sorted(path.name for path in out.iterdir()) == [*pairs, "manifest.json"]
    assert command("run", *words, "--output", out, "--limit", "1").out.startswith("1 skipped")


def test_a_read_only_folder_is_refused(command: Command, words: Words, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        locked = Path("/proc/regatta")
    else:
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o500)
    ran = command("run", *words, "--output", locked)
    assert (ran.code, len(ran.err.strip().splitlines())) == (2, 1)
    assert str(locked) in ran.err


def test_only_the_first_pairs_are_done_if_asked(
    command: Command, words: Words, tmp_path: Path
) -> None:
    assert command("run", *words, "--limit", "1").out.startswith("1 done")
    assert list(content(tmp_path / "out")) == [FIRST]


@pytest.mark.slow
def test_the_time_budget_is_kept_and_noted(
    command: Command, words: Words, quick: Path, tmp_path: Path
) -> None:
    quick.write_text(quick.read_text().replace("steps = 12", "steps = 1000000"))
    budget = 10.0
    ran = command("run", *words, "--limit", "1", "--time-budget", str(budget))
    assert ran.code == 0, ran.err
    (entry,) = manifest_of(tmp_path / "out")["pairs"].values()
    (level,) = entry["refinements"][0]["levels"]
    assert level["stopped"] == "deadline"
    assert level["steps"] > 1
    assert entry["over_budget"] == (sum(entry["seconds"].values()) > budget)


@pytest.mark.slow
def test_a_run_killed_at_any_moment_is_finished_with_the_same_bits(
    command: Command, words: Words, tmp_path: Path
) -> None:
    command("run", *words)
    whole = content(tmp_path / "out")
    other = tmp_path / "killed"
    call = [sys.executable, "-m", "pipeline", "run", *map(str, words), "--output", str(other)]
    for moment in ("begun", "first field", "unfinished"):
        process = subprocess.Popen(
            call, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        wait_for(moment, other, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for name, data in content(other).items():
            assert gzip.decompress(data) == gzip.decompress(whole[name])
    (other / f".{FIRST}.abcd.part").write_bytes(b"half")
    assert command("run", *words, "--output", other).code == 0
    assert content(other) == whole
    assert sorted(path.name for path in other.iterdir()) == [FIRST, SECOND, "manifest.json"]


def wait_for(moment: str, folder: Path, process: subprocess.Popen[bytes]) -> None:
    seen = {
        "begun": folder.exists,
        "first field": (folder / FIRST).exists,
        "unfinished": lambda: any(folder.glob(".*.part")),
    }[moment]
    end = time.monotonic() + 60
    while not seen() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.001)


def test_images_of_different_shape_and_name_are_registered_where_the_task_allows_it(
    command: Command, words: Words, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    for name, shape in (("tall", (21, 30, 26)), ("wide", (27, 25, 26))):
        array = rng.integers(1, 255, shape).astype(np.int16)
        nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / f"{name}.nii")
    (tmp_path / "pairs.json").write_text('[{"fixed": "./tall.nii", "moving": "wide.nii"}]')
    ran = command("run", *words, "--task", "any", "--dataset", tmp_path / "pairs.json")
    assert ran.code == 0, ran.err
    assert nib.load(tmp_path / "out/disp_tall_wide.nii.gz").shape == (21, 30, 26, 3)


def test_the_help_and_a_bad_list_need_no_torch() -> None:
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from pipeline.cli import app\n"
        "for words in (['--help'], ['run', '--dataset', 'no.json'], "
        "['check', '.', '--dataset', 'no.json'], ['pair', '--help'], ['pair', 'a', 'b']):\n"
        "    CliRunner().invoke(app, words)\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("slices", [1, 4])
def test_a_thin_volume_is_registered(
    command: Command, words: Words, tmp_path: Path, slices: int
) -> None:
    """As a slice of the phantom shows motion in its plane."""
    x, y, z = np.ogrid[-16:16, -20:20, 0:slices]
    for name, shift in (("fixed", 0), ("moving", 2)):
        ball = 200 * (np.hypot(x - shift, y) + 0 * z < 9).astype(np.int16) + 20
        nib.save(nib.Nifti1Image(ball, np.eye(4)), tmp_path / f"{name}.nii.gz")
    (tmp_path / "pairs.json").write_text('[{"fixed": "fixed.nii.gz", "moving": "moving.nii.gz"}]')
    ran = command("run", *words, "--task", "any", "--dataset", tmp_path / "pairs.json")
    assert (ran.code, ran.out.split(" in ")[0]) == (0, "1 done"), ran.err
    field = np.asarray(nib.load(tmp_path / "out/disp_fixed_moving.nii.gz").dataobj)
    assert field.shape == (32, 40, slices, 3)
    edge = np.abs(np.hypot(x, y) - 9)[..., 0] < 1.5
    assert field[edge, :, 0].mean() > 0.5  # of the two voxels, along the normal of the edge
    assert slices > 1 or not field[..., 2].any()


def test_a_field_that_no_step_improves_is_not_done(
    command: Command, words: Words, quick: Path, phantom: Path, tmp_path: Path
) -> None:
    quick.write_text(quick.read_text().replace("learning_rate = 0.2", "learning_rate = 1e30"))
    quick.write_text(quick.read_text().replace("learning_rate = 0.1", "learning_rate = 1e30"))
    ran = command("run", *words, "--limit", "1")
    assert (ran.code, ran.out.split(" in ")[0]) == (1, "1 unimproved")
    assert "no step of the refinement made the field better" in ran.err
    (entry,) = manifest_of(tmp_path / "out")["pairs"].values()
    assert entry["status"] == "unimproved"
    assert "no step of the refinement" in entry["warnings"][-1]
    assert not np.asarray(nib.load(tmp_path / "out" / FIRST).dataobj).any()
    assert command("run", *words, "--limit", "1").out.startswith("1 unimproved")  # tried again


def test_without_a_network_and_a_refinement_zero_is_what_is_wanted(
    command: Command, words: Words, quick: Path, tmp_path: Path
) -> None:
    quick.write_text("seed = 1\n")
    assert command("run", *words).out.startswith("2 done")
    assert not np.asarray(nib.load(tmp_path / "out" / FIRST).dataobj).any()


def test_label_maps_decide_a_field_if_a_refinement_asks_for_them(
    phantom: Path, quick: Path, words: Words, command: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(phantom, folder)
    words = [*words, "--input", folder]
    assert command("run", *words).code == 0
    without = content(tmp_path / "out")
    quick.write_text(quick.read_text().replace("[[refine]]\n", "[[refine]]\nlabel_weight = 1.0\n"))
    assert command("run", *words).out.startswith("2 done")
    assert content(tmp_path / "out") != without
    labels = folder / "labelsVal"
    shutil.copy(labels / "PHANTOM_0001_0000.nii.gz", labels / "PHANTOM_0003_0000.nii.gz")
    again = command("run", *words).out
    assert "1 done" in again
    assert "1 skipped" in again


def test_a_task_on_the_half_grid_gets_means_of_the_field_in_full_voxels(
    command: Command, words: Words, phantom: Path, tmp_path: Path
) -> None:
    full, half = phantom / "phantom.toml", tmp_path / "half.toml"
    half.write_text(full.read_text().replace("[field]", '[field]\ngrid = "half"'))
    other = [{full: half, tmp_path / "out": tmp_path / "half"}.get(word, word) for word in words]
    assert command("run", *words).code == command("run", *other).code == 0
    assert command("check", tmp_path / "half", *other[2:6]).code == 0
    for path in (tmp_path / "half").glob("*.nii.gz"):
        whole = nib.load(tmp_path / "out" / path.name).get_fdata()
        blocks = whole.reshape(16, 2, 20, 2, 18, 2, 3)
        np.testing.assert_allclose(
            nib.load(path).get_fdata(), blocks.mean(axis=(1, 3, 5)), atol=1e-6
        )
        assert np.abs(whole).max() > 1


def test_a_zero_field_is_on_the_half_grid_too(
    command: Command, words: Words, phantom: Path, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    shutil.copytree(phantom / "imagesVal", images / "imagesVal")
    truncated(images / "imagesVal/PHANTOM_0003_0000.nii.gz")
    half = tmp_path / "half.toml"
    text = (phantom / "phantom.toml").read_text()
    half.write_text(text.replace("[field]", '[field]\ngrid = "half"'))
    assert command("run", *words, "--task", half, "--input", images).code == 1
    for name in (FIRST, SECOND):
        assert nib.load(tmp_path / "out" / name).shape == (16, 20, 18, 3)
