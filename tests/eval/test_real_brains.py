"""The project's own sample of real brains, under several protocols."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import zoom
from typer.testing import CliRunner

from eval.cli import app
from l2r.formats.fields import write_field
from l2r.formats.volumes import read_labels
from tests.eval import oracles

SAMPLE = Path(__file__).parents[2] / "sample"
PAIRS = [("SAMPLE_0001_0000", "SAMPLE_0002_0000"), ("SAMPLE_0003_0000", "SAMPLE_0001_0000")]


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Smooth and strong enough to fold here and there."""
    rng = np.random.default_rng(5)
    folder = tmp_path_factory.mktemp("fields")
    for name in ("disp_0001_0002.nii.gz", "disp_0003_0001.nii.gz"):
        waves = [zoom(rng.normal(0, 3.5, (20, 28, 24)), 8, order=1) for _ in range(3)]
        write_field(folder / name, np.stack(waves, axis=-1).astype(np.float32), np.eye(4))
    return folder


@pytest.mark.slow
def test_the_organisers_config_in_two_processes_is_what_the_packages_say(
    fields: Path, tmp_path: Path
) -> None:
    config = json.loads((SAMPLE / "SAMPLE_evaluation_config.json").read_text())
    config["eval_pairs"] = [
        {
            role: f"./imagesVal/{name}.nii.gz"
            for role, name in zip(("fixed", "moving"), pair, strict=True)
        }
        for pair in PAIRS
    ]
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    words = ["score", fields, "--task", "aseg", "--evaluation-config", path, "--jobs", "2"]
    words += ["--ground-truth", SAMPLE, "--output", tmp_path / "metrics.json"]
    done = CliRunner().invoke(app, [*map(str, words)])
    assert done.exit_code == 0, done.stderr
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert list(written["cases"]) == ["0001_0000<--0002_0000", "0003_0000<--0001_0000"]
    case = written["cases"]["0001_0000<--0002_0000"]
    fixed, moving = (read_labels(SAMPLE / "labelsVal" / f"{name}.nii.gz") for name in PAIRS[0])
    vectors = np.asarray(nib.load(fields / "disp_0001_0002.nii.gz").dataobj)
    warped = oracles.warp(moving, vectors, 0)
    labels = config["evaluation_methods"][1]["labels"]
    few = labels[::6]
    for metric, compare in (("DSC", oracles.dice), ("HD95", oracles.hd95)):
        expected = oracles.per_label(fixed, moving, warped, few, compare)
        np.testing.assert_array_equal(case[metric]["detailed"][::6], expected)
        assert case[metric]["mean"] == pytest.approx(np.nanmean(case[metric]["detailed"]))
    assert 0 < case["Non-diffeomorphic Volumes"]["mean"] < 5
