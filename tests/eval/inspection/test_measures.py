"""Figures and flags of one pair and one field."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from eval.inspection.measures import Flag, PairMeasures, flags_of, measure
from eval.maps.pair_images import DisplayRange, PairImages
from eval.run_record import RecordedEstimate, RecordedPair
from l2r.formats.volumes import Image

GOOD = PairMeasures(
    correlation_before=0.5,
    correlation_after=0.8,
    farthest_mm=5.0,
    far_mm=20.0,
    folded=0,
    foreground=100_000,
    overlap=0.98,
)


def blob(shift: int = 0) -> Image:
    """A textured ball, some voxels along the first axis."""
    index = np.indices((40, 40, 40)) - np.array([20 + shift, 20, 20]).reshape(3, 1, 1, 1)
    texture = gaussian_filter(np.random.default_rng(3).random((80, 40, 40)), 1.5)
    moved = texture[20 - shift : 60 - shift]
    inside = (index**2).sum(axis=0) < 12**2
    return Image((1000 * moved * inside).astype(np.float32), np.diag([2.0, 1.0, 1.0, 1.0]))


def words(measures: PairMeasures, record: RecordedPair | None = None) -> list[str]:
    return [flag.word for flag in flags_of(measures, record)]


def measured(vectors: np.ndarray) -> PairMeasures:
    images = PairImages(blob(), blob(3))
    return measure(images, vectors, images.warped(vectors), np.ones(images.box.shape))


def test_a_good_field_has_no_flag() -> None:
    assert words(GOOD) == []
    assert words(GOOD, RecordedPair(status="done")) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"folded": 11}, "folds"),
        ({"farthest_mm": 20.5}, "far"),
        ({"correlation_after": 0.51}, "little gain"),
        ({"correlation_after": 0.49}, "negative gain"),
        ({"overlap": 0.85}, "foregrounds differ"),
    ],
)
def test_each_fault_has_its_flag(change: dict[str, float], word: str) -> None:
    assert words(PairMeasures(**(vars(GOOD) | change))) == [word]


def test_flags_of_the_run_come_from_its_record() -> None:
    failed = RecordedPair(status="fallback", error="no such file", over_budget=True)
    found = flags_of(GOOD, failed)
    assert [flag.word for flag in found] == ["fallback", "over budget"]
    assert "no such file" in found[0].text
    assert words(GOOD, RecordedPair(status="unimproved")) == ["unimproved"]


def test_what_soft_labels_suspect_is_a_severe_flag() -> None:
    good, bad = RecordedEstimate(dice=0.8), RecordedEstimate(dice=0.2, suspect="estimated Dice is")
    assert words(GOOD, RecordedPair(estimate=good)) == []
    (flag,) = flags_of(GOOD, RecordedPair(estimate=bad))
    assert (flag.word, flag.text, flag.severe) == ("suspect", "estimated Dice is", True)


def test_severe_flags_come_first() -> None:
    bad = PairMeasures(**(vars(GOOD) | {"folded": 500, "overlap": 0.1}))
    late = RecordedPair(over_budget=True)
    assert words(bad, late) == ["foregrounds differ", "over budget", "folds"]
    assert [Flag(word, "").severe for word in words(bad)] == [True, False]


def test_the_right_field_gains_and_its_length_is_in_millimetres() -> None:
    right = np.zeros((40, 40, 40, 3), np.float32)
    right[..., 0] = 3
    found = measured(right)
    assert found.gain > 0.3
    assert found.overlap > 0.95
    assert found.farthest_mm == pytest.approx(6.0)
    assert measured(0 * right).gain == 0


def test_the_box_holds_both_foregrounds() -> None:
    images = PairImages(blob(), blob(3))
    start, shape = images.box.start, images.box.shape
    assert start[0] == 20 - 11 - 6
    assert start[0] + shape[0] == 40  # 23 + 11 + 6 + 1 would be beyond the grid
    assert start[1] + shape[1] == 20 + 11 + 6 + 1
    assert images.affine @ [0, 0, 0, 1] == pytest.approx([2 * start[0], start[1], start[2], 1])


def test_a_warp_in_the_box_is_the_warp_of_the_whole() -> None:
    images = PairImages(blob(), blob(3))
    right = np.zeros((40, 40, 40, 3), np.float32)
    right[..., 0] = 3
    difference = np.abs(images.warped(right) - images.fixed)[6:-6]
    assert difference.max() < 0.02  # both images have their own display range


def test_padding_of_a_ct_does_not_stretch_the_display() -> None:
    volume = np.full((30, 30, 30), -3024, np.float32)
    volume[5:25, 5:25, 5:25] = np.linspace(-1000, 1000, 20)
    shown = DisplayRange.of(volume, volume > -3024)
    assert (shown.low, shown.high) == (-1024, pytest.approx(1000, abs=25))
