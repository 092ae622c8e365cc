"""One pair by five paths, as PSMAReg's organisers call a container."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from l2r.check import check_submission
from l2r.errors import ConfigError, ImageError, OutputError
from l2r.formats.volumes import write_volume
from l2r.submission import open_submission
from pipeline.register.cli import with_command
from pipeline.register.request import resolve_visits
from tests.pipeline.conftest import Command

ROOT = Path(__file__).parents[3]
NAME = "disp_0001_00_0001_01.nii.gz"
Words = Sequence[str | Path]


@pytest.fixture
def visits(phantom: Path, tmp_path: Path) -> list[Path]:
    """CT and PET of two visits, and the field to write, in a folder that is mounted."""
    images = tmp_path / "input"
    images.mkdir()
    paths = []
    for visit, number in enumerate((1, 2)):
        for modality in (0, 1):
            path = images / f"PSMARegPSMA_0001_000{modality}_0{visit}.nii.gz"
            source = phantom / f"imagesVal/PHANTOM_000{number + modality}_0000.nii.gz"
            path.write_bytes(source.read_bytes())
            paths.append(path)
    (tmp_path / "output").mkdir()
    return [*paths, tmp_path / "output" / NAME]


@pytest.fixture
def task(phantom: Path, tmp_path: Path) -> Path:
    """The challenge's rules for images of the phantom's size."""
    path = tmp_path / "psma.toml"
    text = (phantom / "phantom.toml").read_text()
    rule = 'names = "psmareg"\ncomponents = "first"'
    path.write_text(text.replace('names = "lumir"', rule))
    return path


@pytest.fixture
def options(task: Path, quick: Path) -> Words:
    """What makes a pair of the phantom take a fraction of a second."""
    return ("--config", quick, "--task", task, "--device", "cpu")


def test_the_first_ct_is_fixed_and_the_second_moves(visits: list[Path]) -> None:
    found = resolve_visits(visits, "psmareg26_test")
    assert (found.folder, found.one_field) == (visits[4].parent, True)
    assert list(found.pairs) == [NAME]
    pair = found.pairs[NAME]
    assert (pair.fixed.path, pair.moving.path) == (visits[0], visits[2])


def test_exactly_the_one_file_is_written_and_the_scorer_would_take_it(
    command: Command, visits: list[Path], options: Words, task: Path
) -> None:
    ran = command("pair", *options, *visits)
    assert (ran.code, ran.out.split(" in ")[0]) == (0, "1 done"), ran.err
    assert list(visits[4].parent.iterdir()) == [visits[4]]
    field = nib.load(visits[4])
    assert (field.shape, field.get_data_dtype()) == ((3, 32, 40, 36), np.float32)
    found = resolve_visits(visits, str(task))
    findings = check_submission(open_submission(found.folder), found.task, found.pairs)
    assert dict(findings) == {NAME: []}


def test_it_is_the_field_of_a_run_over_a_list(
    command: Command, visits: list[Path], options: Words, tmp_path: Path
) -> None:
    ct, pet, other_ct, other_pet = (path.name for path in visits[:4])
    study = {"CT": ct, "PET": pet, "Follow-up 01 CT": other_ct, "Follow-up 01 PET": other_pet}
    (tmp_path / "pairs.json").write_text(json.dumps({"validation_paired": [study]}))
    listed = ("--dataset", tmp_path / "pairs.json", "--input", visits[0].parent)
    assert command("pair", *options, *visits).code == 0
    assert command("run", *options, *listed, "--output", tmp_path / "listed").code == 0
    assert (tmp_path / "listed" / NAME).read_bytes() == visits[4].read_bytes()
    assert (tmp_path / "listed/manifest.json").is_file()


@pytest.mark.slow
def test_an_organisers_words_need_no_command(visits: list[Path], options: Words) -> None:
    call = [sys.executable, "-m", "pipeline"]
    ran = subprocess.run([*call, *visits], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 1  # the phantom is smaller than PSMAReg's images
    assert "asks for (192, 192, 288)" in ran.stderr.splitlines()[-1]
    zero = nib.load(visits[4])
    assert zero.shape == (3, 192, 192, 288)
    assert zero.get_data_dtype() == np.float32
    assert not np.asarray(zero.dataobj).any()
    assert list(visits[4].parent.iterdir()) == [visits[4]]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["/app/input/a.nii.gz", "b"], ["pair", "/app/input/a.nii.gz", "b"]),
        (["a.nii.gz"], ["pair", "a.nii.gz"]),
        (["run", "--task", "a/b.toml"], ["run", "--task", "a/b.toml"]),
        (["--help"], ["--help"]),
        ([], []),
    ],
)
def test_only_paths_are_taken_for_a_pair(words: list[str], expected: list[str]) -> None:
    assert with_command(words) == expected


@pytest.mark.parametrize("count", [1, 3, 4, 6])
def test_another_number_of_paths_is_one_line_and_code_2(
    command: Command, visits: list[Path], count: int
) -> None:
    ran = command("pair", *[*visits, visits[4]][:count])
    assert (ran.code, len(ran.err.strip().splitlines())) == (2, 1)
    assert f"{count} paths are given; five are expected: fixed CT, fixed PET, moving" in ran.err


@pytest.mark.parametrize("number", range(4))
def test_a_missing_image_is_named_and_nothing_is_written(
    command: Command, visits: list[Path], number: int
) -> None:
    visits[number].unlink()
    ran = command("pair", *visits)
    assert (ran.code, len(ran.err.strip().splitlines())) == (2, 1)
    assert ran.err == f"error: {visits[number]}: cannot be read: No such file or directory\n"
    assert not list(visits[4].parent.iterdir())


def test_a_folder_is_no_image(visits: list[Path]) -> None:
    with pytest.raises(ImageError, match="Is a directory"):
        resolve_visits([visits[0].parent, *visits[1:]], "psmareg26_test")


def test_the_fields_folder_is_not_made_up(visits: list[Path]) -> None:
    field = visits[4].parent / "gone" / NAME
    with pytest.raises(OutputError, match=f"gone/{NAME}: its folder does not exist; mount it"):
        resolve_visits([*visits[:4], field], "psmareg26_test")
    with pytest.raises(ConfigError, match=r"must end in \.nii\.gz"):
        resolve_visits([*visits[:4], visits[4].with_suffix("")], "psmareg26_test")


def test_an_output_that_cannot_be_written_is_one_line_and_code_2(
    command: Command, visits: list[Path], options: Words
) -> None:
    if os.geteuid() == 0:
        locked = Path("/proc/self")
    else:
        locked = visits[4].parent
        locked.chmod(0o500)
    ran = command("pair", *options, *visits[:4], locked / NAME)
    assert (ran.code, len(ran.err.strip().splitlines())) == (2, 1)
    assert f"error: {locked}: cannot be used" in ran.err


def test_a_damaged_ct_gets_a_zero_field_and_code_1(
    command: Command, visits: list[Path], options: Words
) -> None:
    visits[2].write_bytes(visits[2].read_bytes()[:-2000])
    ran = command("pair", *options, *visits)
    assert ran.code == 1
    assert "FAILED, zero field written" in ran.err.splitlines()[-1]
    assert not np.asarray(nib.load(visits[4]).dataobj).any()


@pytest.mark.slow
def test_containers_that_write_into_one_folder_leave_each_other_alone(
    command: Command, visits: list[Path], options: Words
) -> None:
    """What one has in the making stays when another begins, and no manifest is fought over."""
    folder = visits[4].parent
    unfinished = folder / ".disp_0002_00_0002_01.nii.gz.0a1b.part"
    unfinished.write_bytes(b"half")
    others = [folder / f"disp_{number}_00_{number}_01.nii.gz" for number in range(2)]
    codes: list[int] = []

    def call(path: Path) -> None:
        words = [sys.executable, "-m", "pipeline", "pair", *options, *visits[:4], path]
        codes.append(subprocess.run(words, cwd=ROOT, check=False, capture_output=True).returncode)

    threads = [threading.Thread(target=call, args=(path,)) for path in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0, 0]
    assert sorted(folder.iterdir()) == [unfinished, *others]
    assert others[0].read_bytes() == others[1].read_bytes()


def test_a_field_that_is_there_is_made_anew(
    command: Command, visits: list[Path], options: Words
) -> None:
    visits[4].write_bytes(b"old")
    assert command("pair", *options, *visits).out.startswith("1 done")
    assert nib.load(visits[4]).shape == (3, 32, 40, 36)


def test_label_maps_cannot_be_asked_for(
    command: Command, visits: list[Path], options: Words, quick: Path
) -> None:
    quick.write_text(quick.read_text().replace("[[refine]]\n", "[[refine]]\nlabel_weight = 1.0\n"))
    ran = command("pair", *options, *visits)
    assert (ran.code, len(ran.err.strip().splitlines())) == (2, 1)
    assert "quick.toml: label_weight needs label maps" in ran.err


@pytest.mark.slow
def test_images_of_the_challenges_own_size_are_registered(command: Command, tmp_path: Path) -> None:
    """The whole way on the full grid: a body that is moved by four voxels, coarsely refined."""
    distances = {}
    for name, shift in (("fixed", 0), ("moving", 4)):
        x, y, z = np.ogrid[-96:96, -96:96, -144:144]
        distances[name] = np.sqrt((x - shift) ** 2 + y**2 + (z / 1.4) ** 2)
        body = np.where(distances[name] < 70, 40, -1000) + 400 * (distances[name] < 20)
        write_volume(tmp_path / f"{name}.nii.gz", body.astype(np.int16))
    fixed, moving = tmp_path / "fixed.nii.gz", tmp_path / "moving.nii.gz"
    coarse = tmp_path / "coarse.toml"
    coarse.write_text(COARSE)
    words = ("--config", coarse, "--device", "cpu", fixed, fixed, moving, moving, tmp_path / NAME)
    assert command("pair", *words).code == 0
    field = np.asarray(nib.load(tmp_path / NAME).dataobj)
    assert (field.shape, field.dtype) == ((3, 192, 192, 288), np.float32)
    sides = (np.abs(distances["fixed"] - 70) < 2) & (np.abs(x) > 60)
    means = field[:, sides].mean(axis=1)
    assert 2 < means[0] < 5  # voxels of the full grid, along the first array axis
    assert np.abs(means[1:]).max() < 1


COARSE = """
[[refine]]
name = "instance_optimisation"

[[refine.regularisers]]
weight = 0.1
term = { name = "diffusion" }

[[refine.levels]]
shrink = 8
control = 8
similarity = { name = "lncc", window = 5 }
steps = 20
learning_rate = 0.2
"""
