"""ITK's affine transforms, with SimpleITK as the oracle."""

from pathlib import Path

import numpy as np
import pytest

from l2r.formats.transforms.base import PairGrids
from l2r.formats.transforms.table import read_transform
from tests.l2r.transforms.making import FIXED, inner_points

POINTS, LPS = inner_points(FIXED), np.array([-1, -1, 1])


@pytest.mark.parametrize("first", [0, 1])
def test_a_transform_without_fixed_parameters_may_stand_anywhere(
    first: int, tmp_path: Path
) -> None:
    sitk = pytest.importorskip("SimpleITK")
    stretch = sitk.AffineTransform(3)
    stretch.Scale((2.0, 3.0, 2.0))
    parts = [sitk.TranslationTransform(3, (1.0, 2.0, 3.0)), stretch]
    theirs = sitk.CompositeTransform([parts[first], parts[1 - first]])
    sitk.WriteTransform(theirs, str(tmp_path / "two.tfm"))
    expected = [theirs.TransformPoint(point.tolist()) for point in POINTS * LPS]
    found = read_transform(tmp_path / "two.tfm", PairGrids())(POINTS)
    np.testing.assert_allclose(found, expected * LPS, atol=1e-6)  # mm


def test_a_matlab_file_is_itks_though_its_bytes_are_ascii(tmp_path: Path) -> None:
    sitk = pytest.importorskip("SimpleITK")
    theirs = sitk.AffineTransform(3)
    theirs.Scale((2.0, 3.0, 2.0))
    sitk.WriteTransform(theirs, str(tmp_path / "a.mat"))
    assert (tmp_path / "a.mat").read_bytes().isascii()
    found = read_transform(tmp_path / "a.mat", PairGrids())(POINTS)
    np.testing.assert_allclose(found, POINTS * (2, 3, 2), atol=1e-9)  # mm
