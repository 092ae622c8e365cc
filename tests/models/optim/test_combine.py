import math
from collections.abc import Sequence
from itertools import permutations

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from torch import Tensor
from torchjd.aggregation import PCGrad as TorchjdPCGrad

from models.optim.combine import (
    CHUNK,
    Combine,
    Losses,
    PCGrad,
    ProjectOne,
    SumGradients,
    cosines,
    inner_products,
    project_all,
    project_one,
    weighted_sum,
)
from tests.models.conftest import Golden

PAIRS = ["random", "conflict", "aligned", "orthogonal", "opposite", "unequal_norms"]
APART = [ProjectOne(), PCGrad()]
ALL: list[Combine] = [SumGradients(), *APART]

number = st.floats(-10, 10, allow_subnormal=False)
vector = st.lists(number, min_size=4, max_size=4).map(lambda v: torch.tensor(v).double())
scale = st.floats(1e-3, 1e3)


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def one(vectors: Sequence[Tensor], order: Sequence[int]) -> Tensor:
    gradients = [[v] for v in vectors]
    return weighted_sum(gradients, project_one(inner_products(gradients), order))[0]


def every(vectors: Sequence[Tensor], orders: Sequence[Sequence[int]] = ((1,), (0,))) -> Tensor:
    gradients = [[v] for v in vectors]
    return weighted_sum(gradients, project_all(inner_products(gradients), orders))[0]


def named(*losses: Tensor) -> Losses:
    return {f"loss {number}": loss for number, loss in enumerate(losses)}


def linear(*vectors: Tensor) -> tuple[Losses, Tensor]:
    """Losses with the given gradients, and the parameter."""
    x = torch.zeros_like(vectors[0]).requires_grad_()
    return named(*(v @ x for v in vectors)), x


def same(result: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.golden
@pytest.mark.parametrize("case", PAIRS)
def test_two_objectives_are_combined_as_published(golden: Golden, case: str) -> None:
    vectors = golden("pcgrad")
    similarity, regularity = vectors[f"{case}.g_sim"], vectors[f"{case}.g_reg"]
    pair = (similarity, regularity)
    same(one(pair, [0, 1]), vectors[f"{case}.one_random_sim"])
    same(one(pair, [1, 0]), vectors[f"{case}.one_random_reg"])
    same(one(pair, [0, 1]) - regularity, vectors[f"{case}.yu_sim_projected"])
    same(one(pair, [1, 0]) - similarity, vectors[f"{case}.yu_reg_projected"])
    same(every(pair), vectors[f"{case}.yu_sum_both"])
    same(every(pair), vectors[f"{case}.torchjd_sum"])
    same(every(pair) / 2, vectors[f"{case}.wct_mean"])


@pytest.mark.golden
@pytest.mark.parametrize("case", ["conflict", "unequal_norms"])
def test_the_printed_equation_of_the_paper_is_not_followed(golden: Golden, case: str) -> None:
    vectors = golden("pcgrad")
    pair = (vectors[f"{case}.g_sim"], vectors[f"{case}.g_reg"])
    printed = vectors[f"{case}.paper_eq3_literal_sim"]
    projection = one(pair, [0, 1]) - pair[1]
    assert abs(projection @ pair[1]) < 1e-12
    for wrong in (printed, printed - pair[1]):  # with the other gradient added or not
        assert abs(wrong @ pair[1]) > 1e-3


@pytest.mark.golden
def test_three_objectives_are_combined_as_published(golden: Golden) -> None:
    vectors = golden("pcgrad")
    three = [vectors[f"three.g{i}"] for i in range(3)]
    up, down = (0, 1, 2), (2, 1, 0)
    same(every(three, [up] * 3) / 3, vectors["three.identity"])
    same(every(three, [down, up, down]) / 3, vectors["three.reverse"])  # turned again each time


@given(st.integers(1, 6), st.integers(0, 2**31))
def test_it_draws_and_projects_as_torchjd_does(objectives: int, seed: int) -> None:
    matrix = torch.randn(objectives, 3, generator=random(seed), dtype=torch.float64)
    losses, x = linear(*matrix)
    ours = PCGrad()(losses, [x], random(seed)).gradients[0]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        same(ours, TorchjdPCGrad()(matrix))


def step_by_step(vectors: Sequence[Tensor], order: Sequence[int]) -> Tensor:
    """The definition, on the vectors themselves."""
    chosen = vectors[order[0]]
    for other in order[1:]:
        inner = chosen @ vectors[other]
        if inner < 0:
            chosen = chosen - inner / vectors[other].square().sum() * vectors[other]
    return chosen + sum(vectors[other] for other in order[1:])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_one_of_many_is_projected_against_each_of_the_others_in_turn(
    seed: int, order: tuple[int, ...]
) -> None:
    four = list(torch.randn(4, 5, generator=random(seed), dtype=torch.float64))
    same(one(four, order), step_by_step(four, order))


@given(vector, vector)
def test_no_conflict_of_two_is_left(a: Tensor, b: Tensor) -> None:
    noise = 1e-9 * float(a.norm() * b.norm())
    assert (one((a, b), [0, 1]) - b) @ b >= -noise
    assert (one((a, b), [1, 0]) - a) @ a >= -noise
    for original in (a, b):
        assert every((a, b)) @ original >= -noise


@given(vector, vector)
def test_what_does_not_conflict_is_only_added(a: Tensor, b: Tensor) -> None:
    assume(a @ b >= 0)
    for combined in (every((a, b)), one((a, b), [0, 1]), one((a, b), [1, 0])):
        assert torch.equal(combined, a + b)


@given(vector, vector, scale)
def test_how_long_the_other_gradient_is_does_not_matter(a: Tensor, b: Tensor, s: float) -> None:
    projected, with_longer = one((a, b), [0, 1]) - b, one((a, s * b), [0, 1]) - s * b
    torch.testing.assert_close(with_longer, projected, rtol=1e-9, atol=1e-9)


@given(vector, vector)
def test_the_order_of_two_objectives_does_not_matter(a: Tensor, b: Tensor) -> None:
    same(every((a, b)), every((b, a)))
    same(one((a, b), [0, 1]), one((b, a), [1, 0]))


@pytest.mark.parametrize("combine", APART)
@pytest.mark.parametrize("small", [0.0, 1e-200])
def test_a_gradient_of_zero_conflicts_with_nothing(combine: Combine, small: float) -> None:
    a = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)
    for pair in ((a, -small * a), (-small * a, a)):
        losses, x = linear(*pair)
        combined = combine(losses, [x], random())
        same(combined.gradients[0], a)
        assert combined.cosines == {("loss 0", "loss 1"): 0.0}


@pytest.mark.parametrize("combine", APART)
def test_the_cosines_are_those_of_all_pairs_in_order(combine: Combine) -> None:
    vectors = torch.randn(3, 6, generator=random(4), dtype=torch.float64)
    losses, x = linear(*vectors)
    pairs = [(0, 1), (0, 2), (1, 2)]
    expected = {
        (f"loss {i}", f"loss {j}"): float(torch.cosine_similarity(vectors[i], vectors[j], dim=0))
        for i, j in pairs
    }
    assert combine(losses, [x], random()).cosines == pytest.approx(expected, abs=1e-12)


@given(vector, scale)
def test_cosines_stay_between_minus_one_and_one(a: Tensor, s: float) -> None:
    assume(bool(a.any()))
    found = cosines("abc", inner_products([[a], [s * a], [-a]]))
    like, unlike, _ = found.values()
    assert 1 - 1e-12 < like <= 1
    assert -1 <= unlike < -1 + 1e-12


@pytest.mark.parametrize("combine", ALL)
def test_a_gradient_that_is_no_number_is_passed_on(combine: Combine) -> None:
    losses, x = linear(torch.tensor([1.0, torch.nan]), torch.tensor([1.0, 1.0]))
    combined = combine(losses, [x], random())
    assert combined.gradients[0].isnan().any()
    assert all(math.isnan(cosine) for cosine in combined.cosines.values())


@pytest.mark.parametrize("combine", APART)
def test_a_conflict_is_one_of_all_parameters_together(combine: Combine) -> None:
    x, y = (torch.zeros(1, requires_grad=True) for _ in range(2))
    losses = named((x + 2 * y).sum(), (-x + y).sum())  # they pull apart in x alone
    combined = combine(losses, [x, y], random())
    assert [gradient.item() for gradient in combined.gradients] == [0, 3]


@pytest.mark.parametrize("combine", ALL)
def test_what_an_objective_does_not_reach_has_a_gradient_of_zero(combine: Combine) -> None:
    x, y, unreached = (torch.ones(2, 3, requires_grad=True) for _ in range(3))
    losses = named(x.sum(), (2 * y).sum(), torch.tensor(5.0))
    combined = combine(losses, [x, y, unreached], random())
    for gradient, expected in zip(combined.gradients, (1, 2, 0), strict=True):
        assert torch.equal(gradient, torch.full((2, 3), expected).float())
    assert all(cosine == 0 for cosine in combined.cosines.values())


@pytest.mark.parametrize("combine", ALL)
def test_objectives_that_reach_nothing_at_all_give_zeros(combine: Combine) -> None:
    x = torch.ones(3, requires_grad=True)
    combined = combine(named(torch.tensor(5.0), torch.tensor(-1.0)), [x], random())
    assert torch.equal(combined.gradients[0], torch.zeros(3))


@pytest.mark.parametrize("combine", ALL)
def test_one_objective_is_left_as_it_is(combine: Combine) -> None:
    losses, x = linear(torch.tensor([3.0, -4.0]))
    combined = combine(losses, [x], random())
    assert torch.equal(combined.gradients[0], torch.tensor([3.0, -4.0]))
    assert combined.cosines == {}


@pytest.mark.parametrize("combine", ALL)
@pytest.mark.parametrize("constants", [0, 1])
def test_the_graph_is_freed(combine: Combine, constants: int) -> None:
    x = torch.ones(3, requires_grad=True)
    shared = x.exp()
    losses = named(shared.sum(), shared.square().sum(), *[torch.tensor(1.0)] * constants)
    combine(losses, [x], random())
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(losses["loss 0"], x)


def test_entries_beyond_a_chunk_count() -> None:
    long = torch.arange(3 * CHUNK + 5, dtype=torch.float32) / 1e6
    gram = inner_products([[long, torch.ones(2)], [long + 1, torch.ones(2)]])
    assert float(gram[0, 1]) == pytest.approx(float(long.double() @ (long + 1).double()) + 2)


def test_small_numbers_are_added_up_in_double_precision() -> None:
    tiny = torch.full((1000,), 1e-30)
    assert float(inner_products([[tiny]])) == pytest.approx(1e-57, rel=1e-6)


def test_each_of_the_two_is_projected_half_of_the_time() -> None:
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 1.0])
    generator = random(1)
    results = []
    for _ in range(400):
        losses, x = linear(a, b)
        results.append(ProjectOne()(losses, [x], generator).gradients[0].tolist())
    expected = [one((a, b), order).tolist() for order in ([0, 1], [1, 0])]
    assert {tuple(result) for result in results} == {tuple(result) for result in expected}
    assert 160 < results.count(expected[0]) < 240  # four standard deviations


@pytest.mark.parametrize("combine", ALL)
def test_the_generator_decides_and_nothing_else(combine: Combine) -> None:
    vectors = torch.randn(4, 9, generator=random(3))

    def course(seed: int) -> list[Tensor]:
        generator, steps = random(seed), []
        for _ in range(8):
            losses, x = linear(*vectors)
            steps.append(combine(losses, [x], generator).gradients[0])
        return steps

    assert all(torch.equal(a, b) for a, b in zip(course(5), course(5), strict=True))
    if combine != SumGradients():
        assert any(not torch.equal(a, b) for a, b in zip(course(5), course(6), strict=True))


@pytest.mark.parametrize("combine", APART)
def test_as_much_is_drawn_whether_they_conflict_or_not(combine: Combine) -> None:
    states = []
    for second in (-1.0, 1.0):
        generator = random(2)
        losses, x = linear(torch.tensor([1.0]), torch.tensor([second]))
        combine(losses, [x], generator)
        states.append(generator.get_state())
    assert torch.equal(*states)
    assert not torch.equal(states[0], random(2).get_state())


def test_the_name_tells_them_apart() -> None:
    read = TypeAdapter(Combine).validate_python
    assert [read({"name": name}) for name in ("sum", "project_one", "pcgrad")] == ALL
    with pytest.raises(ValidationError):
        read({"name": "mean"})
