import pytest
import torch
from torch import Tensor

from models.losses.consistency import GradIcon, InverseConsistency, scattered
from models.losses.lncc_gaussian import LnccGaussian
from models.spatial.coordinate_maps import CoordinateMap, GridPoints, displaced, identity
from models.spatial.warp import sample
from tests.models.conftest import Golden

REGULARISER_ATOL = 2e-5
"""Differences over a thousandth of the image: single precision departs from double by 1e-5."""


def shifted(distance: float) -> CoordinateMap:
    return displaced(torch.full((1, 3, 5, 6, 7), distance))


def stretched(factor: float) -> CoordinateMap:
    return lambda points: GridPoints(factor * points.coordinates)


REST = identity(torch.zeros(1, 1, 5, 6, 7)).coordinates


def test_inverse_consistency_is_the_squared_distance_from_where_it_began() -> None:
    term = InverseConsistency()
    assert float(term(shifted(0.1), shifted(-0.1), REST)) == pytest.approx(0, abs=1e-12)
    assert float(term(shifted(0.1), shifted(0.2), REST)) == pytest.approx(0.09, rel=1e-5)


def test_gradicon_does_not_mind_a_constant_error_but_its_change() -> None:
    term = GradIcon()
    assert float(term(shifted(0.1), shifted(0.2), REST)) == pytest.approx(0, abs=1e-5)
    # e(p) = p - 1.5 p: one component changes by -1/2 along each of the three axes
    assert float(term(stretched(1.5), stretched(1.0), REST)) == pytest.approx(0.25, rel=1e-2)


def test_the_order_is_back_first_and_then_there() -> None:
    forward: CoordinateMap = lambda points: GridPoints(points.coordinates**2)  # noqa: E731
    inverse: CoordinateMap = lambda points: GridPoints(points.coordinates / 2)  # noqa: E731
    expected = (REST - (REST / 2) ** 2).square().mean()
    torch.testing.assert_close(InverseConsistency()(forward, inverse, REST), expected)


def test_places_are_scattered_around_every_second_voxel() -> None:
    like = torch.zeros(1, 1, 40, 44, 50)
    places = scattered(like, torch.Generator().manual_seed(0))
    noise = places - identity(like).coordinates[..., ::2, ::2, ::2]
    assert places.shape == (1, 3, 20, 22, 25)
    assert float(noise.std()) == pytest.approx(2 / 50, rel=0.02)
    assert float(noise.mean()) == pytest.approx(0, abs=1e-3)
    assert torch.equal(places, scattered(like, torch.Generator().manual_seed(0)))
    assert not torch.equal(places, scattered(like, torch.Generator().manual_seed(1)))


@pytest.mark.golden
def test_similarity_and_regulariser_are_the_published_ones(golden: Golden) -> None:
    vectors = golden("gradicon_loss_fixed_maps")
    forward, inverse = displaced(vectors["in.u"]), displaced(vectors["in.v"])
    a, b = vectors["in.A"], vectors["in.B"]
    rest = identity(a).coordinates
    places = (rest + 2 * vectors["in.noise"] / a.shape[-1])[..., ::2, ::2, ::2]
    regular = GradIcon()(forward, inverse, places)
    for case, padding in (("sparse", "zeros"), ("sparse_icon_border", "border")):
        expected = vectors[f"out.{case}.inverse_consistency_loss"].item()
        assert float(regular) == pytest.approx(expected, abs=REGULARISER_ATOL)
        similarity = sum(
            float(LnccGaussian().bind(fixed)(sampled(moving, phi, padding)))
            for moving, fixed, phi in ((a, b, forward), (b, a, inverse))
        )
        expected = vectors[f"out.{case}.similarity_loss"].item()
        assert similarity == pytest.approx(expected, abs=1e-6)
        total = similarity + 1.5 * float(regular)
        expected = vectors[f"out.{case}.all_loss"].item()
        assert total == pytest.approx(expected, abs=2 * REGULARISER_ATOL)
    dense = rest + vectors["in.noise"] / a.shape[-1]
    expected = vectors["out.gradicon_dense"].item()
    assert float(GradIcon()(forward, inverse, dense)) == pytest.approx(expected, abs=5e-5)


def sampled(image: Tensor, phi: CoordinateMap, padding: str) -> Tensor:
    return sample(image, phi(identity(image)).coordinates, padding=padding)
