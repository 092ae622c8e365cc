"""The file that takes brains to a machine with a GPU."""

from pathlib import Path

import numpy as np

from benchmarks.gpu.brains import pack, residual, restored, unpack
from l2r.formats.volumes import read_image, write_volume

RANDOM = np.random.default_rng(0)


def test_a_residual_leads_back_to_its_volume() -> None:
    volume = RANDOM.integers(0, 256, (9, 6, 7), np.uint8)
    assert np.array_equal(restored(residual(volume)), volume)


def test_a_ramp_is_expected() -> None:
    ramp = np.add.outer(np.add.outer(np.arange(8), np.arange(8)), np.arange(8)).astype(np.uint8)
    assert not residual(ramp)[2:, 2:, 2:].any()


def test_packed_volumes_come_back_under_their_names(tmp_path: Path) -> None:
    affine = np.diag([-1.0, 2, 3, 1])
    for name in ("images/A.nii.gz", "labels/A.nii.gz"):
        (tmp_path / name).parent.mkdir()
        write_volume(tmp_path / name, RANDOM.integers(0, 256, (5, 6, 7), np.uint8), affine)
    pack(tmp_path / "brains.tar", [tmp_path / "images", tmp_path / "labels"])
    unpack(tmp_path / "brains.tar", tmp_path / "there")
    for name in ("images/A.nii.gz", "labels/A.nii.gz"):
        found, packed = read_image(tmp_path / "there" / name), read_image(tmp_path / name)
        assert np.array_equal(found.array, packed.array)
        assert np.array_equal(found.affine, affine)
