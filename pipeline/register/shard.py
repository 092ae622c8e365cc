"""A part of a pair list, for the tasks of an array job.

The list is dealt out like cards. Neighbours in a list are often alike (one subject after the other,
one modality after the other), so every shard gets some of each kind, takes about as long as the
others, and what a cancelled job leaves behind is spread over the whole list.
"""

import re
from dataclasses import dataclass
from itertools import islice

from l2r.errors import ConfigError
from l2r.pairs import Pair

_WRITTEN = re.compile(r"(\d{1,9})/(\d{1,9})", re.ASCII)


@dataclass(frozen=True)
class Shard:
    """One of `count` parts, which are numbered from 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Read `2/4`.

        Raises:
            ConfigError: it is not written so, or there is no such part.
        """
        found = _WRITTEN.fullmatch(text)
        if found is None:
            raise ConfigError(f"--shard {text}: must look like 2/4, the second of four parts")
        number, count = map(int, found.groups())
        if not 1 <= number <= count:
            raise ConfigError(
                f"--shard {text}: there are shards 1/{count} to {count}/{count}"
                if count
                else f"--shard {text}: there must be at least one part, as in 1/1"
            )
        return cls(number, count)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @property
    def journal(self) -> str:
        """Name of the file in which it records its pairs until all shards are done."""
        return f"manifest.{self.number}-of-{self.count}.jsonl"

    def of(self, pairs: dict[str, Pair]) -> dict[str, Pair]:
        """Its pairs, in the order of the list; none if there are fewer pairs than shards."""
        return dict(islice(pairs.items(), self.number - 1, None, self.count))
