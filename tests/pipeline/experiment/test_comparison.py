"""Intervals over seeds and paired tests over cases."""

import numpy as np
import pytest
from scipy import stats

from pipeline.experiment.comparison import SeedMean, compare, means_of_cases


def test_the_interval_of_three_seeds_is_that_of_students_t() -> None:
    found = SeedMean.of([1.0, 2.0, 3.0])
    assert (found.mean, found.seeds) == (2.0, 3)
    # t of 97.5 % with two degrees of freedom, from a printed table.
    assert found.half_width == pytest.approx(4.303 / np.sqrt(3), rel=1e-3)


def test_one_seed_has_no_interval() -> None:
    assert SeedMean.of([0.5]) == SeedMean(0.5, None, 1)


def test_the_tests_are_scipys_of_two_samples() -> None:
    one, other = np.random.default_rng(0).normal(size=(2, 12))
    cases = [f"case {number}" for number in range(12)]
    found = compare(dict(zip(cases, one, strict=True)), dict(zip(cases, other, strict=True)))
    assert found is not None
    assert found.difference == pytest.approx(float((one - other).mean()))
    assert found.t_test == pytest.approx(float(stats.ttest_rel(one, other).pvalue))
    assert found.signed_rank == pytest.approx(float(stats.wilcoxon(one, other).pvalue))
    assert found.cases == 12


def test_only_cases_that_both_have_are_compared() -> None:
    found = compare({"a": 1.0, "b": 2.0, "c": 9.0}, {"a": 0.0, "b": 0.5, "d": 9.0})
    assert found is not None
    assert (found.cases, found.difference) == (2, 1.25)
    assert compare({"a": 1.0}, {"b": 1.0}) is None


def test_what_cannot_be_tested_has_no_p() -> None:
    alike = compare({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 2.0})
    assert alike is not None
    assert (alike.signed_rank, alike.t_test, alike.difference) == (None, None, 0.0)
    single = compare({"a": 1.0}, {"a": 0.0})
    assert single is not None
    assert (single.signed_rank, single.t_test) == (None, None)
    shifted = compare({"a": 1.0, "b": 2.0}, {"a": 0.0, "b": 1.0})
    assert shifted is not None
    assert shifted.signed_rank is not None
    assert shifted.t_test is None


def test_a_structure_that_vanished_leaves_no_interval_and_no_p() -> None:
    inf = float("inf")  # HD95 of a structure that vanished
    assert SeedMean.of([1.0, inf]) == SeedMean(inf, None, 2)
    for system, reference in (([inf, 2.0], [1.0, 1.5]), ([inf, 1.0], [1.0, inf])):
        found = compare(
            dict(zip("ab", system, strict=True)), dict(zip("ab", reference, strict=True))
        )
        assert found is not None
        assert np.isnan(found.difference)
        assert (found.signed_rank, found.t_test, found.cases) == (None, None, 2)


def test_a_case_that_a_seed_lacks_is_left_out_of_the_means() -> None:
    assert means_of_cases([{"a": 1.0, "b": 5.0}, {"a": 3.0}]) == {"a": 2.0}
    assert means_of_cases([]) == {}
