"""Every task file scores a submission from end to end, and refuses a wrong one."""

import json
import math
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from eval.cli import app
from eval.metrics_file import write_metrics
from eval.scoring import score_submission
from l2r.errors import FieldError, ImageError
from l2r.formats.fields import write_field
from l2r.formats.volumes import read_labels
from l2r.submission import accepted_names, field_name, open_submission
from l2r.task import TASKS, load_task, task_names
from tests.contracts.challenges import SHAPE, Challenge, write_challenge
from tests.eval import oracles

EVERY = pytest.mark.parametrize("name", task_names())
CLASSIC = [
    *("abdomen_ctct", "abdomen_mrct", "hippocampus_mr", "lung_ct", "nlst", "oasis", "thorax_cbct"),
]
WITH_LABELS = [
    *(name for name in CLASSIC if name not in {"lung_ct", "nlst"}),
    *("lumir24", "lumir25", "any", "aseg"),
]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Challenge]:
    """Each challenge once; not to be written into."""
    return cache(lambda name: write_challenge(tmp_path_factory.mktemp(name), load_task(name)))


@pytest.fixture
def challenge(name: str, written: Callable[[str], Challenge], tmp_path: Path) -> Challenge:
    made = written(name)
    shutil.copytree(made.folder, tmp_path, dirs_exist_ok=True)
    return replace(made, folder=tmp_path)


def scored(made: Challenge):
    return score_submission(open_submission(made.fields), made.task, made.pairs, made.folder)


@EVERY
def test_all_its_metrics_are_computed_and_are_numbers(challenge: Challenge, name: str) -> None:
    report = scored(challenge)
    assert len(report.cases) == len(challenge.pairs)
    for case in report.cases:
        assert list(case.results) == [metric.name for metric in challenge.protocol.metrics]
        assert all(math.isfinite(result.mean) for result in case.results.values())
    path = challenge.folder / "metrics.json"
    write_metrics(path, report.metrics_file())
    written = json.loads(path.read_text())
    assert list(written) == ["name", "aggregates", "cases", "eval_version"]
    plain = oracles.aggregates(written["cases"])
    for metric in challenge.protocol.metrics:
        over = written["aggregates"][metric.name]
        assert (over["mean"], over["std"]) == pytest.approx(
            (plain[metric.name]["mean"], plain[metric.name]["std"])
        )


def vectors_of(made: Challenge, number: int) -> np.ndarray:
    """The field on the full grid, by other code than the scorer's."""
    stored = open_submission(made.fields).read(field_name(made.task.field, made.pairs[number]))
    return np.asarray(stored)


@pytest.mark.parametrize("name", WITH_LABELS)
def test_overlap_and_distance_are_the_packages(challenge: Challenge, name: str) -> None:
    report = scored(challenge)
    pair = challenge.pairs[1]
    fixed, moving = (
        read_labels(challenge.folder / scan.beside("labels")) for scan in (pair.fixed, pair.moving)
    )
    warped = oracles.warp(moving, vectors_of(challenge, 1), 0)
    labels = challenge.protocol.labels or [i for i in np.unique(fixed) if i]
    results = report.cases[1].results
    measures = {"DSC": oracles.dice, "HD95": oracles.hd95}
    assert measures.keys() & results.keys()
    for metric in measures.keys() & results.keys():
        expected = oracles.per_label(fixed, moving, warped, labels, measures[metric])
        np.testing.assert_array_equal(results[metric].detailed, expected)


@EVERY
@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("spoil", ["missing", "renamed", "shape", "nan", "nested"])
def test_a_wrong_submission_is_refused_with_the_name_that_is_right(
    challenge: Challenge, name: str, spoil: str, zipped: bool
) -> None:
    rule, pair = challenge.task.field, challenge.pairs[0]
    right = field_name(rule, pair)
    message = SPOILT[spoil](challenge, challenge.fields / right)
    submission = pack(challenge) if zipped else challenge.fields
    with pytest.raises(FieldError, match=message) as caught:
        score_submission(
            open_submission(submission), challenge.task, challenge.pairs, challenge.folder
        )
    assert right in str(caught.value)
    assert "\n" not in str(caught.value)


@EVERY
def test_a_field_that_no_pair_needs_changes_no_score(challenge: Challenge, name: str) -> None:
    alone = scored(challenge)
    field = challenge.fields / field_name(challenge.task.field, challenge.pairs[0])
    shutil.copy(field, field.with_name("disp_9999_9998.nii.gz"))
    np.testing.assert_equal(scored(challenge).aggregates(), alone.aggregates())


def pack(made: Challenge) -> Path:
    path = made.folder / "fields.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for field in sorted(made.fields.rglob("*.nii.gz")):
            archive.write(field, field.relative_to(made.fields))
    return path


def missing(made: Challenge, field: Path) -> str:
    field.unlink()
    return f"{field.name}: no such file; 1 of {len(made.pairs)} fields are missing"


def renamed(made: Challenge, field: Path) -> str:
    field.rename(field.with_name(f"disp_{field.name}"))
    return f"{field.name}: no such file; 1 of .* the scorer takes disp_"


def wrong_shape(made: Challenge, field: Path) -> str:
    x, y, z = SHAPE
    write_field(field, np.zeros((x, y, z - 2, 3), np.float32), np.eye(4))
    return rf"{field.name}: shape \({x}, {y}, {z - 2}, 3\), but task '{made.task.name}' asks for"


def with_nan(made: Challenge, field: Path) -> str:
    vectors = np.zeros((*made.stored_shape, 3), np.float32)
    vectors[0, 0, 0] = np.nan
    write_field(field, vectors, np.eye(4))
    return f"{field.name}: 3 of {vectors.size} values are NaN or infinite"


def nested(made: Challenge, field: Path) -> str:
    inside = made.fields / "submission"
    inside.mkdir()
    for each in sorted(made.fields.glob("disp_*")):
        each.rename(inside / each.name)
    return f"it lies in a folder, submission/{field.name}, but the scorer looks at the top"


SPOILT: dict[str, Callable[[Challenge, Path], str]] = {
    "missing": missing,
    "renamed": renamed,
    "shape": wrong_shape,
    "nan": with_nan,
    "nested": nested,
}


@pytest.mark.parametrize("name", CLASSIC)
def test_classic_tasks_take_archives_and_short_names_as_far_as_their_scorer_does(
    challenge: Challenge, name: str
) -> None:
    whole = scored(challenge)
    for pair in challenge.pairs:
        written = challenge.fields / field_name(challenge.task.field, pair)
        last = accepted_names(challenge.task.field, pair)[-1]
        np.savez_compressed(
            challenge.fields / last, open_submission(challenge.fields).read(written.name)
        )
        written.unlink()
    for one, other in zip(whole.cases, scored(challenge).cases, strict=True):
        np.testing.assert_equal(
            {k: r.detailed for k, r in one.results.items()},
            {k: r.detailed for k, r in other.results.items()},
        )


@pytest.mark.parametrize("name", ["lumir24"])
def test_without_any_ground_truth_nothing_is_scored(challenge: Challenge, name: str) -> None:
    for folder in ("labelsVal", "landmarksVal"):
        shutil.rmtree(challenge.folder / folder)
    with pytest.raises(ImageError, match=r"labelsVal/.*no such file, nor any other labels or land"):
        scored(challenge)


@pytest.mark.parametrize("name", ["lumir25"])
def test_lumir25_has_a_dice_per_group_and_the_worse_end_of_landmarks(
    challenge: Challenge, name: str
) -> None:
    report = scored(challenge)
    dice = [case.results["DSC"].mean for case in report.cases]
    over = report.aggregates()
    assert [over[group].mean for group in ("ID_dice", "OOD_dice", "MM_dice")] == dice[:3]
    assert over["DSC"].mean == pytest.approx(np.mean(dice))
    errors = [case.results["TRE_lm"].mean for case in report.cases]
    assert over["TRE_lm"].quantile30 == pytest.approx(np.quantile(errors, 0.7))
    assert over["DSC"].quantile30 == pytest.approx(np.quantile(dice, 0.3))
    assert (report.protocol.name, report.protocol.version) == ("LUMIR", "3.0")


@pytest.mark.parametrize("name", ["thorax_cbct"])
def test_key_points_of_cone_beam_cts_lie_by_their_modalities(
    challenge: Challenge, name: str
) -> None:
    before = [case.results["TRE_kp"].mean for case in scored(challenge).cases]
    path = challenge.folder / "keypoints02Val" / "T_0011_0002.csv"
    np.savetxt(path, np.loadtxt(path, delimiter=",") + np.array([1, 0, 0]), delimiter=",")
    after = [case.results["TRE_kp"].mean for case in scored(challenge).cases]
    assert after[0] == before[0]
    assert after[1] != before[1]


@pytest.mark.parametrize("name", ["psmareg26"])
def test_psmareg_is_scored_as_its_program_does(challenge: Challenge, name: str) -> None:
    torch = pytest.importorskip("torch")
    stored = vectors_of(challenge, 0)
    half = torch.from_numpy(np.array(stored)).movedim(-1, 0)[None]
    field = torch.nn.functional.interpolate(half, scale_factor=2.0, mode="trilinear")
    pair, folder = challenge.pairs[0], challenge.folder
    fixed, moving, lesions = (
        read_labels(folder / scan.beside(kind))
        for scan, kind in (
            (pair.fixed, "labels"),
            (pair.moving, "labels"),
            (pair.moving, "lesions"),
        )
    )
    warped = by_program(torch, moving, field[0])
    present = [i for i in range(1, 118) if (fixed == i).any() or (warped == i).any()]
    results = scored(challenge).cases[0].results
    dice = np.mean([oracles.dice(fixed == i, warped == i) for i in present])
    assert results["DSC"].mean == pytest.approx(dice)
    both = [i for i in present if (fixed == i).any() and (moving == i).any()]
    distances = [oracles.hd95(fixed == i, warped == i) for i in both]  # 1 mm voxels
    assert results["HD95"].mean == pytest.approx(np.mean(distances))
    after = (by_program(torch, lesions, field[0]) > 0).sum()
    before = (lesions > 0).sum()
    assert results["MTV Percent Error"].mean == pytest.approx(100 * abs(after - before) / before)


def by_program(torch, moving: np.ndarray, field) -> np.ndarray:
    places = torch.stack(torch.meshgrid(*map(torch.arange, SHAPE), indexing="ij")) + field
    for axis, size in enumerate(SHAPE):
        places[axis] = 2 * (places[axis] / (size - 1) - 0.5)
    grid = places.flip(0).movedim(0, -1)[None]
    source = torch.from_numpy(moving.astype(np.float32))[None, None]
    sample = torch.nn.functional.grid_sample(source, grid, mode="nearest", align_corners=False)
    return sample[0, 0].numpy()


@pytest.mark.parametrize("name", ["psmareg26"])
def test_what_psmareg_cannot_measure_gets_the_worst_score(challenge: Challenge, name: str) -> None:
    for pair in challenge.pairs:
        away = np.full((3, *challenge.stored_shape), 1000, np.float32)
        path = challenge.fields / field_name(challenge.task.field, pair)
        write_field(path, np.moveaxis(away, 0, -1), np.eye(4))
    over = scored(challenge).aggregates()
    assert over["HD95"].mean == 1_000_000  # every structure vanished, none is finite
    assert over["DSC"].mean == 0
    assert over["MTV Percent Error"].mean == 100


@EVERY
def test_the_command_line_scores_it(challenge: Challenge, name: str) -> None:
    text = (TASKS / f"{name}.toml").read_text()
    old = next((line for line in text.splitlines() if line.startswith("shape = ")), "[data]")
    new = f"shape = {list(SHAPE)}"
    task = challenge.folder / "small.toml"
    task.write_text(text.replace(old, new if old != "[data]" else f"[data]\n{new}"))
    arguments = ["score", challenge.fields, "--task", task, "--dataset", challenge.dataset]
    done = CliRunner().invoke(
        app, [*map(str, arguments), "--output", str(challenge.folder / "s.csv")]
    )
    assert done.exit_code == 0, done.stderr
    for metric in challenge.protocol.metrics:
        assert metric.name in (challenge.folder / "s.csv").read_text()
