"""Judgement on right and wrong fields whose images differ in contrast, noise, padding and extent.

`python -m benchmarks.check_rates` measures the same on more fields.
"""

import numpy as np
import pytest

from benchmarks.check_rates import LOOKS, WRONG, Example, example, last
from l2r.check.evidence import Evidence, judge
from l2r.check.readings import HALF

ACCUSED = {"other", "worse", "outside"}


@pytest.fixture(scope="module")
def pair() -> Example:
    return example("phantom", "bias", 4, 1)


def evidence(made: Example, vectors: np.ndarray | None = None) -> Evidence:
    return made.evidence(made.vectors if vectors is None else vectors)


@pytest.mark.parametrize("look", LOOKS)
def test_right_fields_are_not_accused_alone_nor_together(look: str) -> None:
    evidences = [evidence(example("phantom", look, motion, 7)) for motion in (1, 8)]
    assert {judge([one]).kind for one in evidences}.isdisjoint(ACCUSED)
    assert judge(evidences).kind not in ACCUSED


@pytest.mark.slow
@pytest.mark.parametrize("meaning", WRONG)
def test_every_wrong_convention_is_found_on_six_pairs(meaning: str) -> None:
    # half of a short motion aligns nearly as well as all of it, so the half grid needs a longer one
    motion = 8 if meaning == HALF else 2
    six = [example("phantom", "bias", motion, seed) for seed in range(6)]
    verdict = judge([evidence(made, WRONG[meaning](made.vectors)) for made in six])
    assert verdict.kind == "other"


def test_a_field_in_the_order_of_torch_is_named(pair: Example) -> None:
    verdict = judge([evidence(pair, (2 * pair.vectors / last(pair.vectors))[..., ::-1])])
    assert verdict.readings[0].meaning == "normalised to [-1, 1], components in the order z, y, x"


@pytest.mark.parametrize("share", [0.7, 1.4])
def test_a_field_that_is_too_weak_or_too_strong_is_not_in_other_units(
    share: float, pair: Example
) -> None:
    assert judge([evidence(pair, share * pair.vectors)]).kind not in ACCUSED


def test_a_zero_field_decides_nothing(pair: Example) -> None:
    assert judge([evidence(pair, np.zeros_like(pair.vectors))]).kind == "open"


def test_right_fields_outweigh_one_wrong_one(pair: Example) -> None:
    others = [evidence(example("phantom", "bias", 4, seed)) for seed in (2, 3, 4)]
    wrong = evidence(pair, -pair.vectors)
    assert judge([wrong]).kind == "other"
    assert judge([wrong, *others]).kind != "other"
