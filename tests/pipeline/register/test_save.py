"""Warped images, inverses and ITK's transforms besides the fields of a run."""

import json
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from l2r.errors import ConfigError
from l2r.formats.fields import read_field
from l2r.formats.transforms.base import PairGrids
from l2r.formats.transforms.table import read_transform
from l2r.task import load_task
from l2r.transforms.displacement import DisplacementTransform
from models.networks.pyramid import PyramidConfig
from pipeline.register.request import Job, with_saving
from tests.pipeline.conftest import Command

Words = Sequence[str | Path]
FIXED, MOVING = "PHANTOM+0002+0000", "PHANTOM+0001+0000"
FORWARD = f"from-{MOVING}_to-{FIXED}_mode-image_xfm"
INVERSE = f"from-{FIXED}_to-{MOVING}_mode-image_xfm"
FIELD = "disp_0002_0001.nii.gz"
VELOCITIES = """
[model]
name = "pyramid"
first = 4
encoder = [6, 8]
decoder = [8, 8]
weights = "{weights}"
"""


def awake_weights(folder: Path) -> Path:
    """Weights of a small pyramid that moves images visibly."""
    torch.manual_seed(0)
    model = PyramidConfig(first=4, encoder=(6, 8), decoder=(8, 8)).build()
    for name, parameter in model.named_parameters():
        if name.endswith("flow.weight"):
            torch.nn.init.normal_(parameter, std=0.03)
    save_file(model.state_dict(), folder / "awake.safetensors")
    return folder / "awake.safetensors"


def test_the_folder_of_the_fields_stays_as_the_scorer_wants_it(
    command: Command, words: Words, tmp_path: Path
) -> None:
    plain = command("run", *words, "--output", tmp_path / "plain")
    saved = command("run", *words, "--save", "warped,inverse,itk,json")
    assert (plain.code, saved.code) == (0, 0), saved.err
    names = [sorted(path.name for path in (tmp_path / n).iterdir()) for n in ("plain", "out")]
    assert names[0] == names[1]
    for name in ("plain", "out"):
        assert (tmp_path / name / FIELD).read_bytes() == (tmp_path / "out" / FIELD).read_bytes()
    found = {path.name for path in (tmp_path / "out_derivatives").iterdir()}
    assert {f"{FORWARD}.nii.gz", f"{FORWARD}.json", f"{INVERSE}.nii.gz", f"{INVERSE}.json"} < found
    assert f"{MOVING}_space-{FIXED}.nii.gz" in found


def test_what_is_saved_is_what_the_field_does(
    command: Command, words: Words, phantom: Path, tmp_path: Path
) -> None:
    ran = command("run", *words, "--save", "warped,inverse,itk,json", "--save-to", tmp_path / "d")
    assert ran.code == 0, ran.err
    forward = read_transform(tmp_path / "d" / f"{FORWARD}.nii.gz", PairGrids())
    assert isinstance(forward, DisplacementTransform)
    np.testing.assert_allclose(forward.vectors, read_field(tmp_path / "out" / FIELD), atol=1e-5)
    inverse = read_transform(tmp_path / "d" / f"{INVERSE}.nii.gz", PairGrids())
    centre = forward.grid.affine[:3, :3] @ (np.array(forward.grid.shape) / 2.2)
    start = (centre + forward.grid.affine[:3, 3])[None]
    np.testing.assert_allclose(inverse(forward(start)), start, atol=0.1)
    warped = nib.load(tmp_path / "d" / f"{MOVING}_space-{FIXED}.nii.gz")
    moving = nib.load(phantom / "imagesVal/PHANTOM_0001_0000.nii.gz")
    fixed = nib.load(phantom / "imagesVal/PHANTOM_0002_0000.nii.gz")
    assert warped.get_data_dtype() == moving.get_data_dtype()
    after, before = (
        np.abs(image.get_fdata() - fixed.get_fdata()).mean() for image in (warped, moving)
    )
    assert after < 0.7 * before
    sidecar = json.loads((tmp_path / "d" / f"{INVERSE}.json").read_text())
    assert (sidecar["From"], sidecar["To"], sidecar["Mode"]) == (FIXED, MOVING, "image")
    assert sidecar["ResidualVoxels"]["P99"] < 0.01


def test_a_network_writes_its_own_inverse(command: Command, words: Words, tmp_path: Path) -> None:
    (tmp_path / "quick.toml").write_text(VELOCITIES.format(weights=awake_weights(tmp_path)))
    ran = command("run", *words, "--save", "inverse,network-inverse,json")
    assert ran.code == 0, ran.err
    found = {
        kind: read_transform(
            tmp_path / "out_derivatives" / f"{INVERSE.replace('_xfm', kind)}.nii.gz", PairGrids()
        )
        for kind in ("_xfm", "_desc-network_xfm")
    }
    exact, own = (transform.vectors for transform in found.values())  # type: ignore[attr-defined]
    inner = (slice(8, -8),) * 3
    assert np.abs(exact[inner]).mean() > 0.2
    assert 1e-4 < np.abs(own - exact)[inner].mean() < 0.2 * np.abs(exact[inner]).mean()
    folder = tmp_path / "out_derivatives"
    means = [
        json.loads((folder / f"{INVERSE.replace('_xfm', kind)}.json").read_text())["ResidualVoxels"]
        for kind in found
    ]
    assert means[0]["Mean"] < means[1]["Mean"]


def test_a_run_that_is_done_saves_without_registering_again(
    command: Command, words: Words, tmp_path: Path
) -> None:
    command("run", *words)
    ran = command("run", *words, "--save", "itk")
    assert ran.out.startswith("2 skipped")
    assert (tmp_path / "out_derivatives" / f"{FORWARD}.nii.gz").is_file()


def test_a_pair_that_failed_has_nothing_to_save(
    command: Command, words: Words, phantom: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "in/imagesVal").mkdir(parents=True)
    for path in (phantom / "imagesVal").iterdir():
        content = b"nonsense" if "0001" in path.name else path.read_bytes()
        (tmp_path / "in/imagesVal" / path.name).write_bytes(content)
    ran = command("run", *words, "--input", tmp_path / "in", "--save", "itk")
    assert ran.code == 1
    assert f"{FIELD}: nothing is saved of it" in caplog.text
    assert len(list((tmp_path / "out_derivatives").iterdir())) == 1


@pytest.mark.parametrize(
    ("save", "message"),
    [
        (("--save", "warp"), "'warp' is none of warped, inverse, network-inverse, itk, json"),
        (("--save", "json"), "json goes with itk or an inverse"),
        (
            ("--save", "network-inverse"),
            "not that of one pass of a network",
        ),
        (("--save", "itk", "--save-to", "{0}/out"), "the scorer wants nothing but fields there"),
    ],
)
def test_wrong_words_are_one_line(
    command: Command, words: Words, tmp_path: Path, save: Words, message: str
) -> None:
    ran = command("run", *words, *(str(word).format(tmp_path) for word in save))
    assert ran.code == 2
    assert message in ran.err


def test_an_organiser_of_one_field_gets_nothing_besides(tmp_path: Path) -> None:
    job = Job(tmp_path, load_task("any"), {}, tmp_path, one_field=True)
    with pytest.raises(ConfigError, match="wants the field and nothing besides"):
        with_saving(job, "itk", None)
