"""Seeded choices among subjects: samples, splits and folds."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TypeVar

from l2r.errors import DatasetError

T = TypeVar("T")


@dataclass(frozen=True)
class SplitChoice:
    """Sizes of the splits, and the seed of what is drawn."""

    counts: tuple[int, ...] | None = None
    """Of training, validation and test; None: as the source has them."""
    seed: int = 42

    @classmethod
    def parse(cls, text: str | None, seed: int) -> "SplitChoice":
        """Read `200,20,20`.

        Raises:
            DatasetError: it is not written so.
        """
        if text is None:
            return cls(None, seed)
        parts = text.split(",")
        if not (1 <= len(parts) <= 3 and all(part.strip().isdecimal() for part in parts)):
            raise DatasetError(f"--counts {text}: must look like 200,20,20: training, others")
        return cls(tuple(int(part) for part in parts), seed)


def sampled(items: Sequence[T], choice: SplitChoice, place: int) -> list[T]:
    """As many of the sorted items as the choice has for a split, drawn as Python's `random` does.

    Source:
        `random.seed(42)` and `random.sample` on the sorted files, in the published code of
        on-the-fly guidance.

    Raises:
        DatasetError: there are fewer.
    """
    if choice.counts is None:
        return list(items)
    count = choice.counts[place] if place < len(choice.counts) else 0
    if count > len(items):
        raise DatasetError(f"{count} subjects are wanted, there are {len(items)}")
    return random.Random(choice.seed).sample(list(items), count)  # noqa: S311


def split(items: Sequence[T], counts: Sequence[int], seed: int) -> list[list[T]]:
    """Deal shuffled items out to parts of these sizes; what is left over is in none.

    Raises:
        DatasetError: there are fewer.
    """
    if sum(counts) > len(items):
        raise DatasetError(f"{sum(counts)} subjects are wanted, there are {len(items)}")
    order = random.Random(seed).sample(list(items), len(items))  # noqa: S311
    ends = accumulate(counts, initial=0)
    return [order[start:end] for start, end in pairwise(ends)]


def folds(items: Sequence[T], count: int, seed: int) -> list[tuple[list[T], list[T]]]:
    """Pair the training and the validation part of each fold; every item is validated once.

    Raises:
        DatasetError: there are fewer items than folds, or one fold.
    """
    if not 2 <= count <= len(items):
        raise DatasetError(f"{count} folds of {len(items)} subjects; give 2 to {len(items)}")
    order = random.Random(seed).sample(list(items), len(items))  # noqa: S311
    parts = [order[number::count] for number in range(count)]
    return [
        ([item for other in parts if other is not part for item in other], part) for part in parts
    ]
