"""Terms of an image of one slice are those of two dimensions."""

from functools import cached_property

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d, uniform_filter

from eval.folded_area import folded_area
from models.descent.transform import as_map
from models.losses.bending import Bending
from models.losses.consistency import scattered
from models.losses.diffusion import Diffusion
from models.losses.folding import Folding, dense_penalty, extruded, sparse_penalty
from models.losses.gradient_correlation import Difference, GradientCorrelation
from models.losses.lddmm import Lddmm
from models.losses.lncc import Lncc
from models.losses.lncc_gaussian import LnccGaussian
from models.losses.mind import Mind
from models.spatial.coordinate_maps import CoordinateMap
from tests.models.losses.test_conformance import REGULARISERS, Between

RNG = np.random.default_rng(0)
IMAGES = RNG.random((2, 14, 11))
FIELD = 0.4 * RNG.normal(size=(2, 12, 10))
"""The two components in the plane."""


def slices(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(array)[None, None, :, :, None] for array in arrays]


def field(components: np.ndarray = FIELD) -> torch.Tensor:
    """The same field as any other, with a third component of zeros."""
    return torch.from_numpy(np.concatenate([components, 0 * components[:1]]))[None, ..., None]


def means(image: np.ndarray, side: int) -> np.ndarray:
    return uniform_filter(image, side, mode="constant")


def test_windows_are_squares() -> None:
    fixed, warped = IMAGES
    covariance = means(fixed * warped, 5) - means(fixed, 5) * means(warped, 5)
    variances = [means(one * one, 5) - means(one, 5) ** 2 for one in (fixed, warped)]
    expected = -np.mean((25 * covariance) ** 2 / (625 * variances[0] * variances[1] + 1e-5))
    one, other = slices(fixed, warped)
    assert float(Lncc(window=5).bind(one)(other)) == pytest.approx(expected)


def test_a_gaussian_window_has_its_whole_weight_in_the_plane() -> None:
    fixed, warped = IMAGES

    def mean(image: np.ndarray) -> np.ndarray:
        for axis in (0, 1):
            image = gaussian_filter1d(image, 1.5, axis, mode="constant", radius=3)
        return image

    covariance = mean(fixed * warped) - mean(fixed) * mean(warped)
    variances = [np.maximum(mean(i * i) - mean(i) ** 2, 0) + 1e-5 for i in (fixed, warped)]
    expected = 1 - np.mean(covariance / np.sqrt(variances[0] * variances[1]))
    one, other = slices(fixed, warped)
    assert float(LnccGaussian(sigma=1.5).bind(one)(other)) == pytest.approx(expected)


@pytest.mark.parametrize("difference", ["central", "forward", "sobel"])
def test_gradients_are_correlated_along_two_axes(difference: Difference) -> None:
    def edges(image: np.ndarray) -> list[np.ndarray]:
        if difference == "forward":
            return [np.diff(image, axis=0), np.diff(image, axis=1)]
        one, other = image[2:] - image[:-2], image[:, 2:] - image[:, :-2]
        if difference == "sobel":
            one = one[:, :-2] + 2 * one[:, 1:-1] + one[:, 2:]
            other = other[:-2] + 2 * other[1:-1] + other[2:]
        return [one, other]

    found = zip(*map(edges, IMAGES), strict=True)
    expected = 1 - np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in found])
    one, other = slices(*IMAGES)
    term = GradientCorrelation(difference=difference).bind(one)
    assert float(term(other)) == pytest.approx(expected)


def test_a_neighbourhood_has_four_pairs_in_the_plane() -> None:
    one, other = slices(*IMAGES)
    described = [_mind(image) for image in IMAGES]
    expected = np.square(described[0] - described[1]).mean()
    assert float(Mind(radius=1, dilation=1).bind(one)(other)) == pytest.approx(expected)


def _mind(image: np.ndarray) -> np.ndarray:
    """MIND-SSC of four neighbours at distance one, patches of 3 x 3 pixels."""
    padded = np.pad(image, 1, mode="edge")
    left, right, down, up = padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]
    pairs = [(left, down), (left, up), (right, down), (right, up)]
    distances = np.stack([9 * means((a - b) ** 2, 3) for a, b in pairs])
    distances -= distances.min(axis=0)
    variance = distances.mean(axis=0)
    return np.exp(-distances / variance.clip(1e-3 * variance.mean(), 1e3 * variance.mean()))


def test_diffusion_is_the_mean_over_two_axes_and_components() -> None:
    expected = sum(np.square(np.diff(FIELD, axis=axis)).mean() for axis in (1, 2)) / 2
    assert float(Diffusion()(field())) == pytest.approx(expected)


def test_bending_has_three_terms() -> None:
    def slope(part: np.ndarray, axis: int) -> np.ndarray:
        inner = np.gradient(part, axis=axis)
        return inner[:, 1:-1, 1:-1]

    one, other = slope(FIELD, 1), slope(FIELD, 2)
    terms = slope(one, 1) ** 2 + slope(other, 2) ** 2 + 2 * slope(one, 2) ** 2
    assert float(Bending()(field())) == pytest.approx(terms.mean())


@pytest.mark.parametrize("operator", ["published", "printed"])
def test_the_operator_of_lddmm_has_a_laplacian_of_two_axes(operator: str) -> None:
    def applied(part: np.ndarray) -> np.ndarray:
        middle = part[:, 1:-1, 1:-1]
        around = part[:, 2:, 1:-1] + part[:, :-2, 1:-1] + part[:, 1:-1, 2:] + part[:, 1:-1, :-2]
        return 0.3 * middle - 0.2 * (around - 4 * middle)

    once = applied(FIELD)
    squares = once**4 if operator == "published" else applied(once) ** 2
    expected = squares.sum() if operator == "published" else squares.sum(axis=0).mean()
    term = Lddmm(alpha=0.2, gamma=0.3, operator=operator)
    assert float(term(field())) == pytest.approx(expected)


def test_folding_looks_at_triangles_as_the_judge_does() -> None:
    folds = field(4 * FIELD)
    vectors = np.moveaxis(folds[0].numpy(), 0, -1)
    places = np.stack(np.meshgrid(*map(np.arange, FIELD.shape[1:]), indexing="ij")) + 4 * FIELD
    lacking, judged = 0.0, 0.0
    for a, b in [(1, 1), (1, -1), (-1, 1), (-1, -1)]:
        here = places[:, 1:-1, 1:-1]
        one = a * (np.roll(places, -a, 1)[:, 1:-1, 1:-1] - here)
        other = b * (np.roll(places, -b, 2)[:, 1:-1, 1:-1] - here)
        determinants = one[0] * other[1] - one[1] * other[0]
        lacking += np.square(np.maximum(0.2 - determinants, 0)).mean() / 4
        judged += np.maximum(-determinants, 0).sum() / 4
    assert float(Folding(margin=0.2)(folds)) == pytest.approx(lacking)
    assert folded_area(vectors, np.ones(vectors.shape[:3], bool)) == pytest.approx(judged)
    assert judged > 1


def test_both_ways_to_penalise_folds_have_one_gradient() -> None:
    found = []
    for penalty in (sparse_penalty, dense_penalty):
        leaf = field(3 * FIELD).requires_grad_()
        (one,), tetrahedra = extruded(leaf)
        penalty(one, 0.2, tetrahedra).backward()
        found.append(leaf.grad)
    torch.testing.assert_close(found[0], found[1])
    assert found[0].abs().max() > 0


class InPlane(Between):
    """An inverse in the plane, too."""

    @cached_property
    def inverse(self) -> CoordinateMap:
        return as_map(0.3 * field(0 * FIELD + 1).float())


@pytest.mark.parametrize("kind", REGULARISERS, ids=lambda kind: kind.__name__)
def test_no_regulariser_pulls_out_of_the_plane(kind: type) -> None:
    leaf = field(3 * FIELD).float().requires_grad_()
    penalty = kind().penalty(InPlane(leaf), torch.Generator().manual_seed(0))
    penalty.backward()
    assert torch.isfinite(leaf.grad).all()
    assert leaf.grad[:, :2].abs().max() > 0
    assert not leaf.grad[:, 2].any()


def test_scattered_places_are_voxels_of_the_plane_apart() -> None:
    like = torch.zeros(1, 1, 40, 40, 1)
    places = scattered(like, torch.Generator().manual_seed(0))
    rest = torch.linspace(0, 1, 40)[::2].view(1, -1, 1, 1)
    assert 0.04 < float((places[:, 0] - rest).std()) < 0.06  # twice 1 / 40
