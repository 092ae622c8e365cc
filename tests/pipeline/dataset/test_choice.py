"""Samples, splits and folds are seeded and disjoint."""

import random
from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2r.errors import DatasetError
from pipeline.dataset.choice import SplitChoice, folds, sampled, split

ITEMS = [f"subject_{number}" for number in range(30)]


def test_a_sample_is_that_of_the_published_code() -> None:
    random.seed(42)
    expected = random.sample(ITEMS, 20)
    assert sampled(ITEMS, SplitChoice((20, 5)), 0) == expected


def test_without_counts_all_are_taken_and_without_one_for_a_split_none() -> None:
    assert sampled(ITEMS, SplitChoice(), 2) == ITEMS
    assert sampled(ITEMS, SplitChoice((20, 5)), 2) == []


@given(st.lists(st.integers(0, 9), min_size=1, max_size=3), st.integers(0, 5))
def test_a_split_has_the_sizes_and_no_subject_twice(counts: list[int], seed: int) -> None:
    parts = split(ITEMS, counts, seed)
    assert [len(part) for part in parts] == counts
    dealt = list(chain.from_iterable(parts))
    assert len(set(dealt)) == len(dealt)
    assert parts == split(ITEMS, counts, seed)


def test_another_seed_is_another_split() -> None:
    assert split(ITEMS, [20, 10], 0) != split(ITEMS, [20, 10], 1)


@given(st.integers(2, 30), st.integers(0, 5))
def test_each_subject_is_validated_in_one_fold_and_trained_on_in_the_others(
    count: int, seed: int
) -> None:
    parts = folds(ITEMS, count, seed)
    assert sorted(chain.from_iterable(validated for _, validated in parts)) == sorted(ITEMS)
    for training, validated in parts:
        assert sorted([*training, *validated]) == sorted(ITEMS)
    for (_, one), (_, other) in combinations(parts, 2):
        assert abs(len(one) - len(other)) <= 1


@pytest.mark.parametrize("text", ["", "a,b", "1,2,3,4", "-1", "1;2"])
def test_counts_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(DatasetError, match="must look like 200,20,20"):
        SplitChoice.parse(text, 0)


def test_more_subjects_than_there_are_are_refused() -> None:
    with pytest.raises(DatasetError, match="31 subjects are wanted, there are 30"):
        split(ITEMS, [21, 10], 0)
    with pytest.raises(DatasetError, match="31 subjects are wanted, there are 30"):
        sampled(ITEMS, SplitChoice((31,)), 0)
    with pytest.raises(DatasetError, match="31 folds of 30 subjects; give 2 to 30"):
        folds(ITEMS, 31, 0)
