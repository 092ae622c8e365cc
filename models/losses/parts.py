"""Parts of a summed similarity, for logs; the sum alone is descended."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from models.losses.catalog import Similarity, SummedTerm
from models.types import Scalar, Volumes


@runtime_checkable
class Comparison(Protocol):
    """Compares the fixed and the warped image, as every similarity does."""

    def bind(self, fixed: Volumes) -> Callable[[Volumes], Scalar]: ...


@dataclass
class SimilarityParts:
    """A similarity whose parts can be read after each comparison."""

    similarity: Similarity
    _terms: list[SummedTerm] = field(default_factory=list)

    def bind(self, fixed: Volumes) -> Callable[[Volumes], Scalar]:
        """The similarity for one fixed image."""
        term = self.similarity.bind(fixed)
        if isinstance(term, SummedTerm):
            self._terms.append(term)
        return term

    @property
    def values(self) -> dict[str, Scalar]:
        """Each part without its weight, added over both directions; empty unless it is a sum."""
        found: dict[str, Scalar] = {}
        for term in self._terms:
            for name, value in term.latest.items():
                found[name] = found[name] + value if name in found else value
        return found
