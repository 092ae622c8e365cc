"""Conventions of fields, by hand."""

import numpy as np
import pytest

from l2r.check.readings import Reading, other_readings

SHAPE = (5, 9, 21)
AFFINE = np.diag([1.0, 2.0, 4.0, 1.0])
PLACES = "places in the moving image instead of displacements"


def reading(meaning: str, affine: np.ndarray = AFFINE) -> Reading:
    (found,) = [one for one in other_readings(SHAPE, affine) if one.meaning == meaning]
    return found


@pytest.mark.parametrize(
    ("meaning", "stored", "voxels"),
    [
        ("millimetres", [3, 4, 8], [3, 2, 2]),
        ("millimetres, x and y negated as in ITK's LPS", [3, 4, 8], [-3, -2, 2]),
        ("voxels of the half grid", [1, 2, 3], [2, 4, 6]),
        ("twice the displacement", [2, 4, 6], [1, 2, 3]),
        ("normalised to [-1, 1]", [0.5, 0.5, 0.5], [1, 2, 5]),
        ("normalised to [-1, 1], components in the order z, y, x", [0.1, 0.5, 0.5], [1, 2, 1]),
        ("normalised to [0, 1]", [0.5, 0.5, 0.5], [2, 4, 10]),
        ("components in the order z, y, x", [1, 2, 3], [3, 2, 1]),
        ("y negated", [1, 2, 3], [1, -2, 3]),
        (f"{PLACES}, normalised to [-1, 1]", [-1, 0, 1], [0, 4, 20]),
        (f"{PLACES}, normalised to [0, 1]", [0, 0.5, 1], [0, 4, 20]),
        (f"{PLACES}, millimetres", [1, 2, 4], [1, 1, 1]),
    ],
)
def test_numbers_by_hand(meaning: str, stored: list[float], voxels: list[float]) -> None:
    found = reading(meaning)
    np.testing.assert_allclose(found.matrix @ stored + found.offset, voxels)
    assert found.places == meaning.startswith(PLACES)


def test_itk_writes_along_the_patients_axes() -> None:
    affine = np.array([[0, -2.0, 0, 10], [1, 0, 0, 20], [0, 0, 4, 30], [0, 0, 0, 1]])
    found = reading("millimetres along the patient's axes LPS, as ITK writes them", affine)
    # array axis 0 runs to anterior (-y of LPS), axis 1 to the patient's left (+x of LPS)
    np.testing.assert_allclose(found.matrix @ [2, -1, 4], [1, 1, 1])


def test_the_likelier_of_equal_readings_comes_first_and_has_the_same_key() -> None:
    isotropic = other_readings(SHAPE, np.eye(4))
    wanted = reading("x and y negated as in ITK's LPS", np.eye(4)).key
    assert [one.meaning for one in isotropic if one.key == wanted] == [
        "x and y negated as in ITK's LPS",
        "millimetres, x and y negated as in ITK's LPS",
        "millimetres along the patient's axes LPS, as ITK writes them",
    ]
    assert len({one.meaning for one in isotropic}) == len(isotropic)


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_header_without_a_grid_has_no_millimetres(value: float) -> None:
    affine = np.diag([value, value, value, 1.0])
    assert not [one for one in other_readings(SHAPE, affine) if "millimetres" in one.meaning]


def test_reversed_axes_are_a_reading_only_where_the_grid_looks_the_same() -> None:
    cube = [one for one in other_readings((9, 5, 9), AFFINE) if one.transposed]
    assert cube[0].meaning == "an array with the axes z, y, x"
    assert not [one for one in other_readings(SHAPE, AFFINE) if one.transposed]
