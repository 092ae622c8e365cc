"""Distance of key points."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.metrics.key_points import KeyPoints, key_point_errors
from eval.metrics.points import read_csv, read_slicer
from eval.truth import GroundTruth
from l2r.errors import ImageError
from tests.eval import oracles
from tests.eval.conftest import Phantom, smooth_field

FCSV = """# Markups fiducial file version = 4.11
# CoordinateSystem = {system}
# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID
vtkMRMLMarkupsFiducialNode_0,{x},{y},{z},0,0,0,1,1,1,0,F-1,,
"""


def set_spacing(phantom: Phantom, number: int, spacing: tuple[float, float, float]) -> Path:
    path = phantom.folder / f"imagesVal/PHANTOM_{number:04}_0000.nii.gz"
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -20, -30, -40
    nib.save(nib.Nifti1Image(nib.load(path).get_fdata().astype(np.float32), affine), path)
    return path


def test_the_field_leads_from_the_fixed_point_to_the_moving_one() -> None:
    vectors = np.zeros((9, 9, 9, 3))
    vectors[..., 0] = 2.0
    fixed, moving = np.array([[4.0, 4, 4]]), np.array([[7.0, 4, 4]])
    assert key_point_errors(fixed, moving, vectors, (3.0, 1.0, 1.0), 3) == pytest.approx([3.0])
    assert key_point_errors(fixed, moving, vectors, (3.0, 1.0, 1.0), 1) == pytest.approx([3.0])


def test_each_side_of_a_voxel_has_its_own_length() -> None:
    fixed, moving = np.zeros((1, 3)), np.array([[1.0, 1.0, 1.0]])
    errors = key_point_errors(fixed, moving, np.zeros((2, 2, 2, 3)), (2.0, 3.0, 6.0), 3)
    assert errors == pytest.approx([7.0])


def test_a_point_outside_the_grid_is_not_moved() -> None:
    fixed = np.array([[8.01, 4, 4], [-0.01, 4, 4], [8.0, 4, 4]])
    errors = key_point_errors(fixed, fixed, np.full((9, 9, 9, 3), [5.0, 0, 0]), (1.0, 1.0, 1.0), 3)
    assert errors == pytest.approx([0.0, 0.0, 5.0])


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_it_is_the_scorers_procedure(seed: int) -> None:
    rng = np.random.default_rng(seed)
    fixed, moving = rng.uniform(-1, 20, (2, 7, 3))
    vectors, spacing = smooth_field(rng, 3.0), (0.7, 1.5, 2.0)
    expected = oracles.key_point_errors(fixed, moving, vectors, spacing)
    found = key_point_errors(fixed, moving, vectors, spacing, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_cubic_and_linear_differ_between_voxels_only() -> None:
    vectors = smooth_field(np.random.default_rng(0), 3.0)
    on, between = np.array([[5.0, 6, 7]]), np.array([[5.5, 6.5, 7.5]])
    for points, alike in ((on, True), (between, False)):
        cubic, linear = (key_point_errors(points, on, vectors, (1.0, 1.0, 1.0), n) for n in (3, 1))
        assert (cubic == pytest.approx(linear, rel=1e-6)) == alike


def test_the_spacing_is_the_moving_images(phantom: Phantom) -> None:
    set_spacing(phantom, 5, (9.0, 9.0, 9.0))
    set_spacing(phantom, 4, (1.0, 2.0, 3.0))
    case = phantom.case(2)
    fixed, moving = (
        read_csv(phantom.folder / f"landmarksVal/PHANTOM_{number:04}_0000.csv") for number in (5, 4)
    )
    result = KeyPoints(name="TRE_lm")(case)
    expected = oracles.key_point_errors(fixed, moving, case.vectors, (1.0, 2.0, 3.0))
    np.testing.assert_allclose(result.detailed, expected, rtol=1e-9)
    assert result.mean == pytest.approx(expected.mean())
    before = np.linalg.norm((fixed - moving) * (1, 2, 3), axis=1).mean()
    assert result.unregistered == pytest.approx(before)


def test_a_list_without_partners_is_refused(phantom: Phantom) -> None:
    path = phantom.folder / "landmarksVal/PHANTOM_0004_0000.csv"
    path.write_text("1,2,3\n")
    with pytest.raises(ImageError, match=r"0004_0000\.csv: 1 points, .*0005_0000\.csv has 6"):
        KeyPoints(name="TRE_lm")(phantom.case(2))


@pytest.mark.parametrize(
    ("fixed", "moving", "folder"),
    [
        ("0000", "0000", "keypointsVal"),
        ("0000", "0001", "keypointsVal"),
        ("0001", "0000", "keypoints01Val"),
        ("0002", "0000", "keypoints02Val"),
    ],
)
def test_pairs_of_other_modalities_have_a_folder_of_their_own(
    fixed: str, moving: str, folder: str, phantom: Phantom
) -> None:
    text = phantom.dataset.read_text().replace("0005_0000", f"0005_{fixed}")
    phantom.dataset.write_text(text.replace("0004_0000", f"0004_{moving}"))
    metric, pair = KeyPoints(name="TRE_kp", folder="keypoints"), phantom.pairs[2]
    truth = phantom.case(0).truth
    assert not metric.has_truth(pair, truth)
    (phantom.folder / folder).mkdir()
    for name in (f"PHANTOM_0005_{fixed}", f"PHANTOM_0004_{moving}"):
        (phantom.folder / "imagesVal" / f"{name}.nii.gz").touch()
        (phantom.folder / folder / f"{name}.csv").write_text("1,2,3\n")
    assert metric.has_truth(pair, truth)


def test_names_without_numbers_have_one_folder(phantom: Phantom) -> None:
    phantom.dataset.write_text(phantom.dataset.read_text().replace("PHANTOM_0005_0000", "five"))
    metric, truth = KeyPoints(name="TRE_kp", folder="keypoints"), GroundTruth(phantom.folder)
    (phantom.folder / "keypointsVal").mkdir()
    assert not metric.has_truth(phantom.pairs[2], truth)
    for name in ("five", "PHANTOM_0004_0000"):
        (phantom.folder / "keypointsVal" / f"{name}.csv").touch()
    assert metric.has_truth(phantom.pairs[2], truth)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "no point"),
        ("1,2\n", "line 1: '1,2'"),
        ("1,2,3\n1,2,3,4\n", "line 2"),
        ("x,y,z\n1,2,3\n", "line 1: 'x,y,z'"),
        ("1,2,nan\n", "line 1"),
    ],
    ids=repr,
)
def test_what_is_no_list_of_points_is_refused(text: str, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text(text)
    with pytest.raises(ImageError, match=fault) as raised:
        read_csv(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        read_csv(tmp_path / "points.csv")


@pytest.mark.parametrize(
    ("system", "world"),
    [
        ("RAS", (-16, -28, -37)),
        ("0", (-16, -28, -37)),
        ("LPS", (16, 28, -37)),
        ("1", (16, 28, -37)),
    ],
)
def test_slicers_millimetres_become_voxels(system: str, world, phantom: Phantom) -> None:
    image = set_spacing(phantom, 4, (1.0, 2.0, 3.0))
    path = phantom.folder / "points.fcsv"
    path.write_text(FCSV.format(system=system, x=world[0], y=world[1], z=world[2]))
    np.testing.assert_allclose(read_slicer(path, image), [[4.0, 1.0, 1.0]], atol=1e-6)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [("RAS", "IJK", "coordinate system 'IJK'"), ("id,x,y", "id,x,Y", "columns id,x,Y")],
)
def test_another_system_than_slicers_is_refused(
    old: str, new: str, fault: str, phantom: Phantom
) -> None:
    path = phantom.folder / "points.fcsv"
    path.write_text(FCSV.format(system="RAS", x=1, y=2, z=3).replace(old, new))
    with pytest.raises(ImageError, match=fault):
        read_slicer(path, phantom.folder / "imagesVal/PHANTOM_0004_0000.nii.gz")


def test_slicers_lists_give_the_distance_of_csv_files(phantom: Phantom) -> None:
    for number in (4, 5):
        image = set_spacing(phantom, number, (1.0, 2.0, 3.0))
        points = read_csv(phantom.folder / f"landmarksVal/PHANTOM_{number:04}_0000.csv")
        lines = FCSV.format(system="LPS", x=0, y=0, z=0).splitlines()[:3]
        world = points * (1, 2, 3) + (-20, -30, -40)
        lines += [f"{n},{-x},{-y},{z},0,0,0,1,1,1,0,F,," for n, (x, y, z) in enumerate(world)]
        list_path = phantom.folder / f"landmarksVal/PHANTOM_{number:04}_0000.fcsv"
        list_path.write_text("\n".join(lines))
        assert read_slicer(list_path, image).shape == points.shape
        places = [{"id": "1", "position": [-x, -y, z]} for x, y, z in world.tolist()]
        markups = {"markups": [{"coordinateSystem": "LPS", "controlPoints": places}]}
        list_path.with_suffix(".mrk.json").write_text(json.dumps(markups))
    from_csv, *others = (
        KeyPoints(name="T", files=kind)(phantom.case(2)) for kind in ("csv", "fcsv", "mrk.json")
    )
    for other in others:
        np.testing.assert_allclose(other.detailed, from_csv.detailed, rtol=1e-6)
