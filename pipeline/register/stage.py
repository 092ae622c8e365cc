"""What passes from stage to stage.

    Pair --preprocess--> Prepared --predict--> Predicted --refine...--> Predicted --export--> file

Each arrow is a callable from one frozen record to the next, so a wrong order does not type-check.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from l2r.arrays import Vectors
from l2r.dataset import Pair
from l2r.prepare import Prepared


@dataclass(frozen=True)
class Predicted:
    """A displacement field for a prepared pair, on the working grid."""

    prepared: Prepared
    vectors: Vectors
    """In voxels of the working grid."""
    log: tuple[Mapping[str, object], ...] = field(default=())
    """One entry per refinement, for the manifest."""
    warnings: tuple[str, ...] = ()
    """Of predicting and refining."""
    deadline: float | None = None
    """In seconds of `time.monotonic`: when the field must be ready for export."""

    def refined(
        self, vectors: Vectors, entry: Mapping[str, object], warnings: Sequence[str] = ()
    ) -> "Predicted":
        """The same pair with a better field."""
        return replace(
            self,
            vectors=vectors,
            log=(*self.log, entry),
            warnings=(*self.warnings, *warnings),
        )


Preprocess: TypeAlias = Callable[[Pair], Prepared]
Predict: TypeAlias = Callable[[Prepared], Predicted]
Refine: TypeAlias = Callable[[Predicted], Predicted]
Export: TypeAlias = Callable[[Predicted], Path]
