"""Which structures count, and in which unit."""

import gzip
from dataclasses import astuple

import nibabel as nib
import numpy as np
import pytest
from pydantic import ValidationError

from eval.metrics.assd import MeanSurfaceDistance
from eval.metrics.dice import Dice
from eval.metrics.hd95 import Hd95
from eval.metrics.tre import Tre
from tests.eval import oracles
from tests.eval.conftest import LABELS, SHAPE, Phantom, save

FIXED, MOVING = (f"labelsVal/PHANTOM_{number:04}_0000.nii.gz" for number in (2, 1))
SPACING = (0.5, 2.0, 1.25)
NAN = float("nan")


def blocks(*labels: int) -> np.ndarray:
    """A cube for each label, in a place of its own."""
    volume = np.zeros(SHAPE, np.uint8)
    for label in labels:
        volume[2 * label : 2 * label + 2, 3:8, 3:8] = label
    return volume


@pytest.fixture
def odd(phantom: Phantom) -> Phantom:
    """1 is in both maps, 2 only in the fixed, 3 only in the moving one; nothing moves."""
    save(phantom.folder / FIXED, blocks(1, 2))
    save(phantom.folder / MOVING, blocks(1, 3))
    return phantom


def unmoved(phantom: Phantom):
    case = phantom.case(0)
    case.vectors[...] = 0
    return case


@pytest.mark.parametrize(
    ("absent", "expected"),
    [("either", (1.0, NAN, NAN, NAN)), ("both", (1.0, 0.0, 0.0, NAN))],
)
def test_overlap_of_what_one_map_lacks(absent: str, expected: tuple, odd: Phantom) -> None:
    result = Dice(name="D", absent=absent, labels=(1, 2, 3, 9))(unmoved(odd))
    np.testing.assert_equal(result.detailed, expected)
    np.testing.assert_equal(result.mean, np.nanmean(expected))
    assert result.unregistered == result.mean


@pytest.mark.parametrize("kind", [Hd95, MeanSurfaceDistance])
@pytest.mark.parametrize(
    ("absent", "expected", "note"),
    [
        ("either", (0.0, NAN, NAN, NAN), ""),
        ("both", (0.0, np.inf, np.inf, NAN), "2 of 4 structures vanished (2, 3)"),
    ],
)
def test_distance_of_what_one_map_lacks(kind, absent, expected, note, odd: Phantom) -> None:
    metric = kind(name="H", absent=absent, labels=(1, 2, 3, 9))
    result = metric(unmoved(odd))
    np.testing.assert_equal(result.detailed, expected)
    assert result.mean == np.nanmean(expected)
    dropped = metric.model_copy(update={"infinite": "dropped"})(unmoved(odd))
    np.testing.assert_equal(dropped.detailed, expected)
    assert dropped.mean == 0.0
    assert dropped.note.partition(", mean")[0] == note


def test_a_mean_of_nothing_finite_is_no_number(odd: Phantom) -> None:
    metric = Hd95(name="H", absent="both", labels=(2, 3), infinite="dropped")
    assert np.isnan(metric(unmoved(odd)).mean)


def test_its_own_labels_go_before_the_protocols(phantom: Phantom) -> None:
    everything = Dice(name="D")(phantom.case(0))
    two = Dice(name="D", labels=(3, 1))(phantom.case(0))
    assert two.detailed == (everything.detailed[LABELS.index(3)], everything.detailed[1])


@pytest.mark.parametrize("labels", [[], [1, 2, 1]], ids=str)
def test_no_labels_and_the_same_label_twice_are_refused(labels: list[int]) -> None:
    with pytest.raises(ValidationError, match="labels"):
        Dice.model_validate({"name": "D", "labels": labels})


def anisotropic(phantom: Phantom) -> None:
    """The fixed image's header says how long the sides of a voxel are."""
    for number in (2, 5):
        path = phantom.folder / f"imagesVal/PHANTOM_{number:04}_0000.nii.gz"
        image = nib.load(path).get_fdata().astype(np.float32)
        nib.save(nib.Nifti1Image(image, np.diag([*SPACING, 1.0])), path)


@pytest.mark.parametrize(
    ("kind", "oracle"), [(Hd95, oracles.hd95), (MeanSurfaceDistance, oracles.assd)]
)
def test_millimetres_are_those_of_the_fixed_image(kind, oracle, phantom: Phantom) -> None:
    anisotropic(phantom)
    case = phantom.case(0)
    maps = case.label_maps("labels")
    expected = oracles.per_label(
        maps.fixed, maps.moving, maps.warped, LABELS, lambda a, b: oracle(a, b, SPACING)
    )
    result = kind(name="H", unit="mm")(case)
    np.testing.assert_allclose(result.detailed, expected, rtol=1e-12)
    assert result.mean != kind(name="H")(case).mean


def test_landmarks_too_may_be_measured_in_millimetres(phantom: Phantom) -> None:
    anisotropic(phantom)
    case = phantom.case(2)
    maps = case.label_maps("landmarks")
    errors = []
    for label in range(1, 9):
        a, b = (np.argwhere(part == label).mean(axis=0) for part in (maps.fixed, maps.warped))
        errors.append(np.linalg.norm((a - b) * SPACING))
    assert Tre(name="T", unit="mm")(case).mean == pytest.approx(np.mean(errors))


def test_a_side_that_is_no_number_is_taken_from_the_affine(phantom: Phantom) -> None:
    metric = Hd95(name="H", unit="mm")
    before = astuple(metric(phantom.case(0)))
    path = phantom.folder / "imagesVal/PHANTOM_0002_0000.nii.gz"
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[84:88] = np.float32(np.nan).tobytes()  # the side along y
    path.write_bytes(gzip.compress(content))
    np.testing.assert_equal(astuple(metric(phantom.case(0))), before)  # NaN where a label is absent


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int16, np.uint8])
def test_label_maps_of_floats_are_scored_like_those_of_integers(kind, phantom: Phantom) -> None:
    metrics = Dice(name="D"), Hd95(name="H")
    before = [astuple(metric(phantom.case(0))) for metric in metrics]
    for path in (FIXED, MOVING):
        save(phantom.folder / path, oracles.load(phantom.folder / path).astype(kind))
    np.testing.assert_equal([astuple(metric(phantom.case(0))) for metric in metrics], before)


@pytest.mark.parametrize("where", [(0, 0, 0), (19, 17, 15), (0, 9, 15)], ids=str)
def test_one_voxel_at_the_border(where: tuple[int, int, int], phantom: Phantom) -> None:
    fixed, moving = np.zeros((2, *SHAPE), np.uint8)
    fixed[where] = moving[10, 9, 8] = 1
    save(phantom.folder / FIXED, fixed)
    save(phantom.folder / MOVING, moving)
    case = unmoved(phantom)
    far = np.linalg.norm(np.subtract(where, (10, 9, 8)))
    assert Hd95(name="H", labels=(1,))(case).mean == pytest.approx(far)
    assert Hd95(name="H", labels=(1,))(case).mean == oracles.hd95(fixed == 1, moving == 1)
    assert Dice(name="D", labels=(1,))(case).mean == 0.0


def test_mirroring_both_maps_changes_nothing(phantom: Phantom) -> None:
    metrics = [Dice(name="D"), Hd95(name="H"), MeanSurfaceDistance(name="A")]
    before = [metric(unmoved(phantom)).detailed for metric in metrics]
    for path in (FIXED, MOVING):
        volume = oracles.load(phantom.folder / path).astype(np.uint8)
        save(phantom.folder / path, np.ascontiguousarray(volume[::-1, :, ::-1]))
    after = [metric(unmoved(phantom)).detailed for metric in metrics]
    np.testing.assert_array_equal(after[:2], before[:2])
    np.testing.assert_allclose(after[2], before[2], rtol=1e-12)
