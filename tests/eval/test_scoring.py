"""Scoring pair by pair."""

import weakref
import zipfile
from dataclasses import asdict, astuple
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from eval import score_case
from eval.report import ScoreReport
from eval.scoring import score_submission
from l2r.errors import DatasetError, FieldError, ImageError, L2RError, TaskError
from l2r.formats.fields import write_field
from l2r.submission import Submission, open_submission
from l2r.task import Task, load_task
from tests.eval.conftest import Phantom, save

FIRST = "disp_0002_0001.nii.gz"


def scored(phantom: Phantom, task: Task | None = None) -> ScoreReport:
    return score_submission(phantom.submission, task or phantom.task, phantom.pairs, phantom.folder)


def test_every_pair_is_scored_by_what_there_is_of_it(phantom: Phantom) -> None:
    report = scored(phantom)
    with_labels = ["Non-diffeomorphic Volumes", "DSC", "HD95"]
    assert {case.name: list(case.results) for case in report.cases} == {
        "0002_0000<--0001_0000": with_labels,
        "0003_0000<--0002_0000": with_labels,
        "0005_0000<--0004_0000": ["Non-diffeomorphic Volumes", "TRE_lm"],
    }
    assert report.protocol.name == "PHANTOM"


def test_the_scores_are_those_of_the_metrics_on_their_own(phantom: Phantom) -> None:
    report = scored(phantom)
    metrics = {metric.name: metric for metric in report.protocol.metrics}
    for number, case in enumerate(report.cases):
        for name, result in case.results.items():
            np.testing.assert_equal(astuple(result), astuple(metrics[name](phantom.case(number))))


def test_one_case_is_scored_from_its_field_alone(phantom: Phantom) -> None:
    expected = scored(phantom).cases[0]
    case = phantom.case(0)
    assert score_case.__module__ == "eval.scoring"
    alone = score_case(phantom.task, case.vectors, case.pair, phantom.folder)
    np.testing.assert_equal(asdict(alone), asdict(expected))


def test_some_metrics_of_a_case_are_those_of_all(phantom: Phantom) -> None:
    case = phantom.case(0)
    expected = phantom.scorer.score_case(case.pair, case.vectors).results
    quick = phantom.scorer.score_case(case.pair, case.vectors, ("ndv", "dice")).results
    assert list(quick) == ["Non-diffeomorphic Volumes", "DSC"]
    for name, result in quick.items():
        np.testing.assert_equal(astuple(result), astuple(expected[name]))


def test_each_case_is_announced_when_it_is_done(phantom: Phantom) -> None:
    announced = []
    report = phantom.scorer.score_submission(
        phantom.submission, phantom.pairs, done=announced.append
    )
    assert tuple(announced) == report.cases


def test_zip_files_and_channels_first_are_scored_alike(phantom: Phantom, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "fields.zip", "w") as archive:
        for path in phantom.fields.iterdir():
            image = nib.load(path)
            field = nib.Nifti1Image(np.moveaxis(image.get_fdata(), -1, 0), np.eye(4))
            archive.writestr(path.name, field.to_bytes())
    zipped = open_submission(tmp_path / "fields.zip")
    again = score_submission(zipped, phantom.task, phantom.pairs, phantom.folder)
    for found, expected in zip(again.cases, scored(phantom).cases, strict=True):
        np.testing.assert_equal(asdict(found), asdict(expected))


def test_a_zero_field_scores_what_every_report_calls_unregistered(phantom: Phantom) -> None:
    before = scored(phantom)
    for path in phantom.fields.iterdir():
        write_field(path, np.zeros((20, 18, 16, 3), np.float32), np.eye(4))
    for was, zero in zip(before.cases, scored(phantom).cases, strict=True):
        for name in set(was.results) - {"HD95"}:
            assert was.results[name].unregistered == zero.results[name].mean
        assert zero.results["Non-diffeomorphic Volumes"].mean == 0.0


def test_only_one_field_is_in_memory(phantom: Phantom) -> None:
    alive: list[weakref.ref] = []

    class Watched(Submission):
        def names(self) -> list[str]:
            return phantom.submission.names()

        def read(self, name: str, most: int | None = None) -> np.ndarray:
            assert [ref for ref in alive if ref() is not None] == []
            field = np.array(phantom.submission.read(name, most))
            alive.append(weakref.ref(field))
            return field

    score_submission(Watched(phantom.fields), phantom.task, phantom.pairs, phantom.folder)
    assert len(alive) == 3


def test_grids_of_their_own_and_names_of_any_kind(phantom: Phantom, tmp_path: Path) -> None:
    sizes = {"fixed_brain": (14, 12, 10), "moving_brain": (13, 15, 10)}
    for name, shape in sizes.items():
        body = np.zeros(shape, np.uint8)
        body[2:9, 3:9, 2:8] = 7
        save(tmp_path / "images" / f"{name}.nii", body)
        save(tmp_path / "labels" / f"{name}.nii", body)
    (tmp_path / "list.json").write_text(
        '[{"fixed": "images/fixed_brain.nii", "moving": "images/moving_brain.nii"}]'
    )
    fields = tmp_path / "out"
    fields.mkdir()
    zero = np.zeros((14, 12, 10, 3), np.float32)
    write_field(fields / "disp_fixed_brain_moving_brain.nii.gz", zero, np.eye(4))
    made = Phantom(tmp_path)
    (tmp_path / "list.json").rename(made.dataset)
    report = score_submission(open_submission(fields), load_task("any"), made.pairs, tmp_path)
    (case,) = report.cases
    assert case.name == "fixed_brain<--moving_brain"
    assert case.results["DSC"].detailed == (1.0,)
    assert case.results["HD95"].mean == 0.0


def break_field(phantom: Phantom) -> None:
    (phantom.fields / FIRST).unlink()
    (phantom.fields / "disp_0003_0002.nii.gz").unlink()
    (phantom.fields / "disp_0005_0004.nii.gz").rename(
        phantom.fields / "disp_0005_0000_0004_0000.nii.gz"
    )


def halve_field(phantom: Phantom) -> None:
    write_field(phantom.fields / FIRST, np.zeros((10, 9, 8, 3), np.float32), np.eye(4))


def spoil_field(phantom: Phantom) -> None:
    vectors = np.zeros((20, 18, 16, 3), np.float32)
    vectors[4, 4, 4] = np.nan
    write_field(phantom.fields / FIRST, vectors, np.eye(4))


def remove(*names: str):
    def act(phantom: Phantom) -> None:
        for name in names:
            (phantom.folder / name).unlink()

    return act


ALL_TRUTH = [
    *(f"labelsVal/PHANTOM_{number:04}_0000.nii.gz" for number in (1, 2, 3)),
    *(f"landmarksVal/PHANTOM_{number:04}_0000.nii.gz" for number in (4, 5)),
]


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (break_field, FieldError, r"fields/disp_0002_0001\.nii\.gz: no such file; 3 of 3 fields"),
        (halve_field, FieldError, r"disp_0002_0001\.nii\.gz: shape \(10, 9, 8, 3\).*half grid"),
        (spoil_field, FieldError, r"disp_0002_0001\.nii\.gz: 3 of 17280 values are NaN"),
        (
            remove("labelsVal/PHANTOM_0001_0000.nii.gz"),
            ImageError,
            r"labelsVal/PHANTOM_0001_0000\.nii\.gz: no such file, but PHANTOM_0002_0000<--",
        ),
        (
            remove("imagesVal/PHANTOM_0004_0000.nii.gz"),
            ImageError,
            r"imagesVal/PHANTOM_0004_0000\.nii\.gz: no such file",
        ),
        (
            remove(*ALL_TRUTH),
            ImageError,
            r"labelsVal/PHANTOM_0002_0000\.nii\.gz: no such file, nor any other labels or "
            r"landmarks of the 3 pairs; give --ground-truth",
        ),
    ],
    ids=["missing", "half grid", "nan", "half the labels", "no image", "no ground truth"],
)
def test_what_the_scorer_refuses_is_refused(
    act, error: type[L2RError], message: str, phantom: Phantom
) -> None:
    act(phantom)
    with pytest.raises(error, match=message) as raised:
        scored(phantom)
    assert "\n" not in str(raised.value)


def test_nothing_is_read_before_all_fields_are_there(phantom: Phantom) -> None:
    (phantom.fields / "disp_0005_0004.nii.gz").unlink()
    announced = []
    with pytest.raises(FieldError, match=r"disp_0005_0004\.nii\.gz: no such file; 1 of 3"):
        phantom.scorer.score_submission(phantom.submission, phantom.pairs, done=announced.append)
    assert announced == []


def test_folding_alone_needs_no_labels(phantom: Phantom) -> None:
    remove(*ALL_TRUTH)(phantom)
    evaluation = phantom.task.evaluation
    only = evaluation | {"metrics": evaluation["metrics"][:1]}
    report = scored(phantom, phantom.task.model_copy(update={"evaluation": only}))
    assert [list(case.results) for case in report.cases] == 3 * [["Non-diffeomorphic Volumes"]]


@pytest.mark.parametrize(
    ("kind", "label"),
    [
        (np.uint32, 614_454_277),
        (np.uint32, 2**32 - 2),
        (np.int16, -7),
        (np.int64, 10**12),
        (np.uint64, 2**63 + 5),
        (np.float32, 614_454_272),
        (np.float64, 3_000_000_000),
        (np.float64, -(10**12)),
    ],
    ids=str,
)
def test_scores_do_not_depend_on_how_large_a_label_is(
    kind: type, label: int, phantom: Phantom
) -> None:
    expected = scored(phantom)
    for path in (phantom.folder / "labelsVal").iterdir():
        small = np.asarray(nib.load(path).dataobj)
        large = small.astype(kind)
        large[small == 1] = label
        nib.save(nib.Nifti1Image(large, np.eye(4), dtype=kind), path)
    evaluation = phantom.task.evaluation | {"labels": [0, label, 2, 3, 4, 9]}
    found = scored(phantom, phantom.task.model_copy(update={"evaluation": evaluation}))
    for was, case in zip(expected.cases, found.cases, strict=True):
        for name, result in case.results.items():
            assert result.mean == was.results[name].mean
    assert found.cases[0].results["DSC"].labels[1] == label


def test_a_moving_label_map_of_another_shape_than_its_image_is_refused(phantom: Phantom) -> None:
    path = phantom.folder / "labelsVal/PHANTOM_0001_0000.nii.gz"
    save(path, np.asarray(nib.load(path).dataobj)[:15])
    message = r"labelsVal/PHANTOM_0001.*: shape \(15, 18, 16\), but its image has \(20, 18, 16\)"
    with pytest.raises(ImageError, match=message):
        scored(phantom)


@pytest.mark.parametrize("number", [1, 2])
def test_a_label_map_that_is_flipped_against_its_image_by_its_header_is_noted(
    number: int, phantom: Phantom
) -> None:
    path = phantom.folder / f"labelsVal/PHANTOM_{number:04}_0000.nii.gz"
    flipped = np.asarray(nib.load(path).dataobj)[::-1]
    nib.save(nib.Nifti1Image(flipped, np.diag([-1.0, 1, 1, 1])), path)
    notes = [note for note in scored(phantom).notes() if "stored as" in note]
    expected = f"0002_0000<--0001_0000: {path}: stored as LAS, but its image as RAS; arrays are"
    assert notes[0].startswith(expected)
    assert len(notes) == number  # the second subject is in two pairs


def test_a_header_without_directions_is_not_noted(phantom: Phantom) -> None:
    path = phantom.folder / "labelsVal/PHANTOM_0001_0000.nii.gz"
    image = nib.load(path)
    image.header.set_sform(np.full((4, 4), np.nan), code=1)
    nib.Nifti1Image(np.asarray(image.dataobj), None, image.header).to_filename(path)
    assert list(scored(phantom).notes()) == []


def test_labels_without_a_place_of_their_own_are_asked_for(
    phantom: Phantom, tmp_path: Path
) -> None:
    (phantom.folder / "imagesVal").rename(phantom.folder / "scans")
    phantom.dataset.write_text(phantom.dataset.read_text().replace("imagesVal", "scans"))
    message = r"scans/PHANTOM_0002.*the folder of the images is not called images.*labelsTr"
    with pytest.raises(ImageError, match=message) as raised:
        scored(phantom)
    assert "no such file" not in str(raised.value)


def test_names_without_numbers_do_not_fit_lumirs_rule(phantom: Phantom) -> None:
    text = phantom.dataset.read_text().replace("PHANTOM_0002_0000", "second")
    phantom.dataset.write_text(text)
    with pytest.raises(DatasetError, match="second"):
        scored(phantom)


def test_a_faulty_protocol_is_refused(phantom: Phantom) -> None:
    with pytest.raises(TaskError, match="evaluation"):
        scored(phantom, phantom.task.model_copy(update={"evaluation": {}}))
