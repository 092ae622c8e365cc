"""Findings about submissions of brains whose right field is known."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from l2r.check import ALL, OTHERS, Finding, check_submission
from l2r.dataset import read_pairs
from l2r.field import to_channels_first, to_normalised
from l2r.formats.fields import write_field
from l2r.pairs import Pair
from l2r.phantom import true_field, write_phantom
from l2r.submission import field_names, open_submission
from l2r.task import FieldRule, Task, load_task
from tests.l2r.making import nifti, noise, save

SHAPE, SEED = (32, 40, 36), 4
FIRST, SECOND = "disp_0002_0001.nii.gz", "disp_0003_0002.nii.gz"

Convert = Callable[[np.ndarray], np.ndarray]

WRONG: dict[str, tuple[str, Convert]] = {
    "half": ("voxels of the half grid: double the values", lambda u: u / 2),
    "twice": ("twice the displacement: halve the values", lambda u: 2 * u),
    "normalised": ("normalised to [-1, 1], components in the order z, y, x: ", to_normalised),
    "reversed": ("components in the order z, y, x: reverse them", lambda u: u[..., ::-1]),
    "opposite": ("x, y and z negated: negate x, y and z", lambda u: -u),
    "lps": ("x and y negated as in ITK's LPS", lambda u: u * np.float32([-1, -1, 1])),
    "one axis": ("y negated: negate y", lambda u: u * np.float32([1, -1, 1])),
    "places": (
        "places in the moving image instead of displacements: subtract each voxel's index",
        lambda u: u + np.moveaxis(np.indices(u.shape[:3]), 0, -1),
    ),
}
"""What the check should say, and how the field went wrong."""


@pytest.fixture(scope="module")
def brains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Far enough apart that half the right field is clearly worse than the whole."""
    folder = tmp_path_factory.mktemp("brains")
    write_phantom(folder, shape=SHAPE, seed=SEED)
    return folder


@pytest.fixture(scope="module")
def task(brains: Path) -> Task:
    return load_task(str(brains / "phantom.toml"))


@pytest.fixture(scope="module")
def pairs(brains: Path, task: Task) -> dict[str, Pair]:
    return field_names(task.field, read_pairs(brains / "PHANTOM_dataset.json", brains))


@pytest.fixture(scope="module")
def right() -> dict[str, np.ndarray]:
    return {
        FIRST: true_field(2, 1, SHAPE, SEED),
        SECOND: true_field(3, 2, SHAPE, SEED),
    }


@pytest.fixture
def folder(tmp_path: Path, right: dict[str, np.ndarray]) -> Path:
    """A submission with which nothing is wrong."""
    for name, vectors in right.items():
        write_field(tmp_path / name, vectors, np.eye(4))
    return tmp_path


@pytest.fixture
def check(task: Task, pairs: dict[str, Pair]) -> Callable[[Path], dict[str, list[Finding]]]:
    def call(path: Path) -> dict[str, list[Finding]]:
        return dict(check_submission(open_submission(path), task, pairs))

    return call


def only(findings: dict[str, list[Finding]], name: str) -> Finding:
    """The one finding, which is about the one file."""
    found = [finding for listed in findings.values() for finding in listed]
    assert [finding.name for finding in found] == [name]
    return found[0]


def test_with_the_right_fields_nothing_is_wrong(check, folder: Path) -> None:
    assert check(folder) == {FIRST: [], SECOND: []}


def test_a_zip_is_checked_like_the_folder_it_was_made_of(check, folder: Path) -> None:
    (folder / SECOND).write_bytes((folder / FIRST).read_bytes()[:-20])
    with zipfile.ZipFile(folder / "fields.zip", "w") as archive:
        for name in (FIRST, SECOND):
            archive.write(folder / name, name)
    zipped = check(folder / "fields.zip")
    (folder / "fields.zip").unlink()
    unpacked = check(folder)
    assert zipped[FIRST] == unpacked[FIRST] == []
    assert "truncated" in only(zipped, SECOND).text
    assert "truncated" in only(unpacked, SECOND).text


def test_channels_first_is_as_good_where_the_scorer_takes_it(
    check, folder: Path, right: dict[str, np.ndarray]
) -> None:
    save(folder / FIRST, to_channels_first(right[FIRST]))
    assert check(folder)[FIRST] == []


@pytest.mark.parametrize("way", WRONG)
def test_fields_in_other_units_are_recognised_and_the_reading_is_named(
    way: str, check, folder: Path, right: dict[str, np.ndarray]
) -> None:
    said, convert = WRONG[way]
    for name, vectors in right.items():
        write_field(folder / name, np.asarray(convert(vectors), np.float32), np.eye(4))
    found = check(folder)[ALL]
    assert [(finding.name, finding.kind) for finding in found] == [(ALL, "problem")]
    assert found[0].text.startswith(f"the numbers look like {said}")


def test_fields_of_the_inverse_transform_are_recognised(check, folder: Path) -> None:
    write_field(folder / FIRST, true_field(1, 2, SHAPE, SEED), np.eye(4))
    write_field(folder / SECOND, true_field(2, 3, SHAPE, SEED), np.eye(4))
    found = only(check(folder), ALL)
    assert found.kind == "problem"
    assert found.text.startswith("the numbers look like moving to fixed: it must lead from the fix")


@pytest.mark.parametrize("way", ["normalised", "opposite", "lps", "places"])
def test_one_field_in_other_units_than_the_rest_is_named(
    way: str, check, folder: Path, right: dict[str, np.ndarray]
) -> None:
    said, convert = WRONG[way]
    write_field(folder / SECOND, np.asarray(convert(right[SECOND]), np.float32), np.eye(4))
    (found,) = check(folder)[ALL]
    assert found.kind == "problem"
    assert found.text.startswith(f"the numbers of 1 of 2 fields ({SECOND}) look like {said}")


def test_a_field_of_whole_voxels_is_worth_a_look(
    check, folder: Path, right: dict[str, np.ndarray]
) -> None:
    stored = nib.Nifti1Image(np.rint(right[FIRST]).astype(np.int16), np.eye(4))
    nib.save(stored, folder / FIRST)
    texts = [finding.text for finding in check(folder)[FIRST]]
    assert "whole voxels only: was it stored as integers?" in texts


def test_a_field_that_moves_nothing_is_worth_a_look(check, folder: Path) -> None:
    write_field(folder / FIRST, np.zeros((*SHAPE, 3), np.float32), np.eye(4))
    found = only(check(folder), FIRST)
    assert (found.kind, found.text.split(":")[0]) == ("warning", "the field is zero everywhere")


def test_a_single_displacement_longer_than_the_grid_is_worth_a_look(
    check, folder: Path, right: dict[str, np.ndarray]
) -> None:
    vectors = right[FIRST].copy()
    vectors[0, 0, 0, 2] = -41
    write_field(folder / FIRST, vectors, np.eye(4))
    found = only(check(folder), FIRST)
    assert (found.kind, found.text) == (
        "warning",
        "displacements of up to 41 voxels leave the grid",
    )


def test_fields_that_lead_out_of_the_moving_images_are_a_problem(check, folder: Path) -> None:
    far = np.broadcast_to(np.float32([30.5, 0, 0]), (*SHAPE, 3))
    for name in (FIRST, SECOND):
        write_field(folder / name, far, np.eye(4))
    found = only(check(folder), ALL)
    assert (found.kind, found.text) == (
        "problem",
        "the displacements leave the moving images; which unit are they in?",
    )


def test_fields_that_align_less_than_none_would_are_worth_a_look(check, folder: Path) -> None:
    rough = 8 * noise(*SHAPE, 3) - 4
    for name in (FIRST, SECOND):
        write_field(folder / name, rough, np.eye(4))
    found = only(check(folder), ALL)
    assert (found.kind, found.text) == (
        "warning",
        "the images agree less with the fields than without them, in whatever unit",
    )


def test_units_that_the_images_cannot_show_are_noted_calmly(check, folder: Path) -> None:
    tiny = np.full((*SHAPE, 3), 1e-4, np.float32)
    for name in (FIRST, SECOND):
        write_field(folder / name, tiny, np.eye(4))
    found = only(check(folder), ALL)
    assert (found.kind, found.text) == (
        "note",
        "the images do not show whether the units are right, nor that they are wrong",
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_a_problem(
    value: float, check, folder: Path, right: dict[str, np.ndarray]
) -> None:
    vectors = right[FIRST].copy()
    vectors[0, 0, 0] = value
    write_field(folder / FIRST, vectors, np.eye(4))
    found = only(check(folder), FIRST)
    assert (found.kind, found.text) == ("problem", "3 of 138240 values are NaN or infinite")


def test_the_half_grid_is_recognised_by_its_shape(
    check, folder: Path, right: dict[str, np.ndarray]
) -> None:
    write_field(folder / FIRST, right[FIRST][::2, ::2, ::2] / 2, np.eye(4))
    found = only(check(folder), FIRST)
    assert found.kind == "problem"
    assert found.text.startswith("shape (16, 20, 18, 3), but task 'phantom' asks for (32, 40, 36")
    assert "this is the half grid, upsample by 2 and double the values" in found.text


@pytest.mark.parametrize(
    "content",
    [b"", b"no field", nifti(noise(4, 4, 4, 3))[:-5]],
    ids=["nothing", "text", "truncated"],
)
def test_a_file_that_is_no_field_is_a_problem_of_its_own(
    content: bytes, check, folder: Path
) -> None:
    (folder / FIRST).write_bytes(content)
    found = only(check(folder), FIRST)
    assert found.kind == "problem"
    assert "\n" not in found.text


def test_a_missing_field_is_a_problem(check, folder: Path) -> None:
    (folder / SECOND).unlink()
    found = only(check(folder), SECOND)
    assert (found.kind, found.text) == (
        "problem",
        "missing; the scorer stops at the first field that it does not find",
    )


def test_a_field_in_a_folder_of_its_own_is_missing_and_not_to_be_removed(
    check, folder: Path
) -> None:
    (folder / "output").mkdir()
    (folder / FIRST).rename(folder / "output" / FIRST)
    found = only(check(folder), FIRST)
    assert found.text.startswith(f"missing; it lies in a folder, output/{FIRST}, but the scorer")


def test_two_fields_of_one_pair_are_a_problem(task: Task, brains: Path, folder: Path) -> None:
    classic = task.model_copy(update={"field": FieldRule(names="long", npz=True)})
    (pair, _) = read_pairs(brains / "PHANTOM_dataset.json", brains)
    names = ["disp_0002_0000_0001_0000.nii.gz", "disp_0002_0000_0001_0000.npz"]
    for name in names:
        (folder / name).touch()
    findings = check_submission(
        open_submission(folder), classic, field_names(classic.field, [pair])
    )
    assert next(findings) == (
        names[0],
        [Finding(names[0], f"{names[1]} is a field of the same pair; remove one")],
    )


def test_a_zip_of_the_folder_instead_of_its_content_is_told_so(check, folder: Path) -> None:
    with zipfile.ZipFile(folder / "fields.zip", "w") as archive:
        for name in (FIRST, SECOND):
            archive.write(folder / name, f"fields/{name}")
    findings = check(folder / "fields.zip")
    for name in (FIRST, SECOND):
        assert findings[name][0].text.startswith(f"missing; it lies in a folder, fields/{name}")


def test_a_file_that_no_pair_needs_is_worth_a_look_and_what_our_commands_leave_is_not(
    check, folder: Path
) -> None:
    (folder / "manifest.json").write_text(json.dumps({}))
    (folder / "metrics.json").write_text(json.dumps({}))
    (folder / "disp_0001_0002.nii.gz").write_bytes(b"")
    found = only(check(folder), OTHERS)
    assert (found.kind, found.text) == (
        "warning",
        "1 file that no pair needs (disp_0001_0002.nii.gz); the scorer ignores it",
    )


def test_findings_come_file_by_file(task: Task, pairs: dict[str, Pair], folder: Path) -> None:
    (folder / SECOND).unlink()
    (folder / "extra.txt").touch()
    findings = check_submission(open_submission(folder), task, pairs)
    assert next(findings) == (FIRST, [])
    assert [name for name, _ in findings] == [SECOND, OTHERS]


def alone(folder: Path, fixed: np.ndarray, moving: np.ndarray, field: np.ndarray) -> list[Finding]:
    """What is found where two images of task `any` and one field lie in a folder."""
    save(folder / "images/a.nii.gz", fixed)
    save(folder / "images/b.nii.gz", moving)
    (folder / "fields").mkdir()
    write_field(folder / "fields/disp_a_b.nii.gz", field, np.eye(4))
    listed = folder / "list.json"
    listed.write_text(json.dumps([{"fixed": "images/a.nii.gz", "moving": "images/b.nii.gz"}]))
    task = load_task("any")
    named = field_names(task.field, read_pairs(listed, folder))
    ((name, findings),) = check_submission(open_submission(folder / "fields"), task, named)
    assert name == "disp_a_b.nii.gz"
    return findings


def test_where_the_task_knows_no_shape_the_fixed_image_has_it(tmp_path: Path) -> None:
    fixed, moving = noise(8, 9, 10), noise(7, 9, 11)
    (found,) = alone(tmp_path, fixed, moving, noise(7, 9, 11, 3))
    assert found.kind == "problem"
    assert "shape (7, 9, 11, 3), but task 'any' asks for (8, 9, 10, 3)" in found.text


def test_without_the_fixed_image_a_shape_that_is_not_known_cannot_be_checked(
    tmp_path: Path,
) -> None:
    (tmp_path / "fields").mkdir()
    write_field(tmp_path / "fields/disp_a_b.nii.gz", noise(4, 4, 4, 3), np.eye(4))
    listed = tmp_path / "list.json"
    listed.write_text(json.dumps([{"fixed": "a.nii.gz", "moving": "b.nii.gz"}]))
    task = load_task("any")
    named = field_names(task.field, read_pairs(listed, tmp_path))
    ((_, (found,)),) = check_submission(open_submission(tmp_path / "fields"), task, named)
    assert found.kind == "problem"
    assert "a.nii.gz: " in found.text


def test_without_images_the_units_are_not_checked_and_it_says_so(
    task: Task, brains: Path, folder: Path
) -> None:
    elsewhere = read_pairs(brains / "PHANTOM_dataset.json", brains / "elsewhere")
    findings = dict(
        check_submission(open_submission(folder), task, field_names(task.field, elsewhere))
    )
    for name in (FIRST, SECOND):
        (found,) = findings[name]
        assert found.kind == "warning"
        assert found.text.startswith("units not checked: ")
        assert found.text.endswith("PHANTOM_0002_0000.nii.gz: no such file") == (name == FIRST)


@pytest.mark.parametrize("role", ["fixed", "moving"])
def test_an_image_on_another_grid_than_the_tasks_is_named_as_the_reason(
    role: str, task: Task, pairs: dict[str, Pair], folder: Path, tmp_path_factory
) -> None:
    other = tmp_path_factory.mktemp("other")
    pair = pairs[FIRST]
    for scan in (pair.fixed, pair.moving):
        there = other / scan.relative
        there.parent.mkdir(exist_ok=True)
        there.write_bytes(scan.path.read_bytes())
    small = getattr(pair, role).relative
    save(other / small, noise(30, 40, 36))
    listed = other / "list.json"
    entry = {"fixed": str(pair.fixed.relative), "moving": str(pair.moving.relative)}
    listed.write_text(json.dumps([entry]))
    (folder / SECOND).unlink()
    named = field_names(task.field, read_pairs(listed, other))
    ((_, (found,)),) = check_submission(open_submission(folder), task, named)
    assert small.name in found.text
    assert "(30, 40, 36)" in found.text


def test_a_name_that_the_scorer_takes_besides_ours_is_as_good(
    task: Task, brains: Path, folder: Path
) -> None:
    classic = task.model_copy(update={"field": FieldRule(names="long", npz=True)})
    (pair, _) = read_pairs(brains / "PHANTOM_dataset.json", brains)
    pairs = field_names(classic.field, [pair])
    (folder / SECOND).unlink()
    np.savez_compressed(folder / "disp_0002_0000_0001_0000.npz", true_field(2, 1, SHAPE, SEED))
    assert [name for name, _ in check_submission(open_submission(folder), classic, pairs)] == [
        "disp_0002_0000_0001_0000.npz",
        OTHERS,  # the short name, which is LUMIR's
    ]
