"""The learning rate of each epoch."""

import pytest
import torch

from models.training.schedule import ConstantConfig, PolyConfig
from tests.models.conftest import Golden


@pytest.mark.golden
@pytest.mark.parametrize("first", ["1e-4", "0.1", "5e-5"])
def test_poly_falls_as_in_the_published_scripts(golden: Golden, first: str) -> None:
    published = golden("ofg_schedule")[f"lr_schedule_{first}_500"]
    rates = [PolyConfig().rate(float(first), epoch, 500) for epoch in range(500)]
    assert torch.equal(torch.tensor(rates, dtype=torch.float64), published)


def test_poly_may_fall_over_other_epochs_than_those_that_are_trained() -> None:
    assert PolyConfig(over=500).rate(1e-4, 100, 200) == PolyConfig().rate(1e-4, 100, 500)
    assert PolyConfig(over=10).rate(1e-4, 12, 20) == 0


def test_constant_does_not_fall() -> None:
    assert ConstantConfig().rate(1e-4, 499, 500) == 1e-4
