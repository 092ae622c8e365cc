"""Parts of a summed similarity can be read apart."""

import pytest
import torch

from models.losses.catalog import SumOfSimilarities, WeightedSimilarity
from models.losses.gradient_correlation import GradientCorrelation
from models.losses.lncc import Lncc
from models.losses.mse import Mse
from models.losses.parts import SimilarityParts
from models.types import Volumes

SUM = SumOfSimilarities(
    parts=(
        WeightedSimilarity(term=Lncc(window=3)),
        WeightedSimilarity(weight=0.5, term=GradientCorrelation()),
    )
)


@pytest.fixture
def images() -> tuple[Volumes, Volumes]:
    random = torch.Generator().manual_seed(0)
    fixed, moving = torch.rand(2, 1, 1, 8, 9, 7, generator=random)
    return fixed, moving


def test_the_parts_are_those_that_each_term_gives_alone(images: tuple[Volumes, Volumes]) -> None:
    fixed, moving = images
    parts = SimilarityParts(SUM)
    total = parts.bind(fixed)(moving)
    alone = [part.term.bind(fixed)(moving) for part in SUM.parts]
    assert parts.values == {"lncc": alone[0], "gradient_correlation": alone[1]}
    assert total == pytest.approx(float(alone[0] + 0.5 * alone[1]), rel=1e-6)  # float32


def test_both_directions_are_added(images: tuple[Volumes, Volumes]) -> None:
    fixed, moving = images
    parts = SimilarityParts(SUM)
    parts.bind(fixed)(moving)
    once = dict(parts.values)
    parts.bind(moving)(fixed)
    # Both terms of this sum are symmetric, up to the order of additions in float32.
    assert float(parts.values["lncc"]) == pytest.approx(2 * float(once["lncc"]), rel=1e-5)


def test_a_term_that_comes_twice_gets_a_number(images: tuple[Volumes, Volumes]) -> None:
    fixed, moving = images
    twice = (WeightedSimilarity(term=Lncc(window=3)), WeightedSimilarity(term=Lncc(window=5)))
    parts = SimilarityParts(SumOfSimilarities(parts=twice))
    parts.bind(fixed)(moving)
    assert list(parts.values) == ["lncc", "lncc 2"]


def test_a_single_similarity_has_no_parts(images: tuple[Volumes, Volumes]) -> None:
    parts = SimilarityParts(Mse())
    assert float(parts.bind(images[0])(images[1])) > 0
    assert parts.values == {}


def test_no_gradient_runs_through_a_part(images: tuple[Volumes, Volumes]) -> None:
    parts = SimilarityParts(SUM)
    moving = images[1].clone().requires_grad_()
    assert parts.bind(images[0])(moving).requires_grad
    assert not any(part.requires_grad for part in parts.values.values())
