"""Pages for two raw heads."""

from pathlib import Path

import numpy as np
import pytest

from l2r.errors import OutputError
from l2r.formats.volumes import read_image, read_labels, write_volume
from l2r.transforms.displacement import DisplacementTransform
from pipeline.prepare.native import NativePair
from pipeline.prepare.report import report_of_heads
from pipeline.prepare.template import GRID
from tests.pipeline.prepare.conftest import TRUE, record_of


@pytest.fixture
def pair(tmp_path: Path) -> NativePair:
    """One head twice."""
    return NativePair.of(record_of(tmp_path, "f", TRUE), record_of(tmp_path, "m", TRUE))


def shifted(mm: float) -> DisplacementTransform:
    vectors = np.zeros((*GRID.shape, 3), np.float32)
    vectors[..., 1] = mm
    return DisplacementTransform(GRID, vectors)


@pytest.mark.slow
def test_the_pages_show_what_the_field_adds_to_the_affine_maps(
    pair: NativePair, tmp_path: Path
) -> None:
    index = report_of_heads(pair, shifted(0), tmp_path / "report")
    alike = (tmp_path / "report" / "assets" / "pair-0001.html").read_text()
    assert "negative gain" not in alike
    assert "raw_f" in index.read_text()

    report_of_heads(pair, shifted(6), tmp_path / "report")  # an earlier report is replaced
    worse = (tmp_path / "report" / "assets" / "pair-0001.html").read_text()
    assert "negative gain" in worse
    assert "5.7 mm" in worse  # in the fixed head, which is 5 % shorter along this axis


@pytest.mark.slow
def test_what_is_no_brain_is_not_shown(pair: NativePair, tmp_path: Path) -> None:
    head = read_image(Path(pair.fixed.source))
    outside = read_labels(pair.fixed_brain) == 0
    write_volume(Path(pair.fixed.source), np.where(outside, 90.0, head.array), head.affine)
    report_of_heads(pair, shifted(0), tmp_path / "report")
    assert "foregrounds differ" not in (tmp_path / "report/assets/pair-0001.html").read_text()


def test_a_folder_with_other_files_is_left_alone(pair: NativePair, tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"mine\.txt"):
        report_of_heads(pair, shifted(0), tmp_path / "report")
    assert (tmp_path / "report" / "mine.txt").read_text() == "mine"
