"""The whole of `metrics.json`, against the organisers' procedure written down a second time."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import zoom

from eval.metrics.ndv import non_diffeomorphic_volume
from eval.metrics_file import write_metrics
from eval.scoring import score_submission
from l2r.dataset import read_pairs
from l2r.formats.fields import write_field
from l2r.submission import open_submission
from l2r.task import load_task
from tests.eval import oracles
from tests.eval.conftest import LABELS, Phantom


def load(path: Path) -> np.ndarray:
    return nib.load(path).get_fdata()


def official_case(folder: Path, fixed: str, moving: str, labels: tuple[int, ...]) -> dict:
    """One pair: double precision, `images` replaced in the paths, every metric on its own."""
    vectors = load(folder / "fields" / f"disp_{fixed[-16:-12]}_{moving[-16:-12]}.nii.gz")
    value = oracles.ndv(vectors, load(folder / moving))
    results = {"Non-diffeomorphic Volumes": {"mean": value, "detailed": value}}
    if (folder / fixed.replace("images", "labels")).exists():
        a, b = (load(folder / name.replace("images", "labels")) for name in (fixed, moving))
        warped = oracles.warp(b, vectors, 0)
        for name, compare in (("DSC", oracles.dice), ("HD95", oracles.hd95)):
            values = oracles.per_label(a, b, warped, labels, compare)
            results[name] = {"mean": np.nanmean(values), "detailed": values}
    else:
        a, b = (load(folder / name.replace("images", "landmarks")) for name in (fixed, moving))
        value = oracles.tre(a, oracles.warp(b, vectors, 0))
        results["TRE_lm"] = {"mean": value, "detailed": value}
    return results


def official(folder: Path, labels: tuple[int, ...]) -> dict:
    pairs = json.loads((folder / "dataset.json").read_text())["validation"]
    cases = {
        f"{fixed[-16:-12]}_{fixed[-11:-7]}<--{moving[-16:-12]}_{moving[-11:-7]}": official_case(
            folder, fixed, moving, labels
        )
        for pair in pairs
        for fixed, moving in [(pair["fixed"], pair["moving"])]
    }
    return {
        "name": "PHANTOM",
        "aggregates": oracles.aggregates(cases),
        "cases": cases,
        "eval_version": "2.0",
    }


def assert_equal(found: object, expected: object) -> None:
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for key, value in expected.items():
            assert_equal(found[key], value)
    elif isinstance(expected, str):
        assert found == expected
    else:
        assert isinstance(found, list) == isinstance(expected, list)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def ours(phantom: Phantom) -> dict:
    report = score_submission(phantom.submission, phantom.task, phantom.pairs, phantom.folder)
    write_metrics(phantom.folder / "metrics.json", report.metrics_file())
    return json.loads((phantom.folder / "metrics.json").read_text())


def test_every_number_is_the_organisers(phantom: Phantom) -> None:
    found = ours(phantom)
    assert_equal(found, official(phantom.folder, LABELS))
    for metric, over in found["aggregates"].items():
        assert np.isfinite(list(over.values())).all(), metric
        assert over["mean"] > 0, metric


def test_what_vanishes_spoils_the_means_as_it_does_officially(phantom: Phantom) -> None:
    for number, folder in ((0, "labels"), (2, "landmarks")):
        case = phantom.case_without(number, folder, 5)
        name = sorted(path.name for path in phantom.fields.iterdir())[number]
        nib.save(nib.Nifti1Image(case.vectors, np.eye(4)), phantom.fields / name)
    found = ours(phantom)
    with np.errstate(invalid="ignore"):
        expected = official(phantom.folder, LABELS)
    assert_equal(found, expected)
    assert found["aggregates"]["HD95"]["mean"] == float("inf")
    assert np.isnan(found["aggregates"]["HD95"]["std"])
    assert np.isnan(found["aggregates"]["TRE_lm"]["mean"])
    assert np.isfinite(found["aggregates"]["DSC"]["mean"])


@pytest.mark.real
@pytest.mark.slow
def test_a_real_pair_has_the_second_implementations_scores(shared: Path, tmp_path: Path) -> None:
    folder, task = shared / "data" / "sample", load_task("aseg")
    pair = read_pairs(folder / "SAMPLE_dataset.json", folder)[0]
    coarse = np.random.default_rng(1).normal(0, 2, (3, 20, 28, 24))
    vectors = np.stack([zoom(part, 8, order=1) for part in coarse], axis=-1).astype(np.float32)
    write_field(tmp_path / "disp_0001_0002.nii.gz", vectors, np.eye(4))

    (case,) = score_submission(open_submission(tmp_path), task, [pair], folder).cases
    labels = task.evaluation["labels"]
    fixed, moving = (
        load(folder / "labelsVal" / scan.path.name) for scan in (pair.fixed, pair.moving)
    )
    warped = oracles.warp(moving, vectors, 0)
    overlap = oracles.per_label(fixed, moving, warped, labels, oracles.dice)
    np.testing.assert_array_equal(case.results["DSC"].detailed, overlap)
    assert case.results["DSC"].mean == np.nanmean(overlap)
    # The second implementations would take minutes; a part of the labels and planes shows the same.
    some = [3, 5, 14, 17, 26, 49, 54]
    distances = oracles.per_label(fixed, moving, warped, some, oracles.hd95)
    found = dict(zip(labels, case.results["HD95"].detailed, strict=True))
    np.testing.assert_array_equal([found[label] for label in some], distances)
    image = load(pair.moving.path)
    assert case.results["Non-diffeomorphic Volumes"].mean > 0
    part = slice(80, 86)
    np.testing.assert_allclose(
        non_diffeomorphic_volume(vectors[part], image[part] > 0),
        oracles.non_diffeomorphic_volume(vectors[part], image[part] > 0),
        rtol=1e-10,
    )
