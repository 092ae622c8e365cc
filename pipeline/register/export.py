"""From a displacement field to the file that the scorer reads."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from l2r.arrays import Vectors
from l2r.field import to_channels_first
from l2r.formats.metaimage import SUFFIX
from l2r.formats.nifti import write_field
from l2r.submission import as_stored, as_vectors, field_name
from l2r.task import FieldRule, Task
from pipeline.register.stage import Predicted


@dataclass(frozen=True)
class ExportField:
    """Write one field, whole or not at all."""

    task: Task
    folder: Path
    name: str | None = None
    """Of the file, where whoever asks for the field has chosen it; else by the task's rule."""

    def __call__(self, item: Predicted, /) -> Path:
        """Bring the field back to the fixed image's grid and write it as the scorer wants it.

        Raises:
            FieldError: it holds NaN or infinite values.
            OutputError: it cannot be written.
        """
        prepared, rule = item.prepared, self.task.field
        path = self.folder / (self.name or field_name(rule, prepared.pair))
        stored = as_stored(prepared.grid.place(item.vectors), rule)
        as_vectors(stored, prepared.grid.shape, self.task, path.name)  # as strict as the scorer
        write_stored(path, stored, rule, prepared.affine)
        return path


def write_stored(
    path: Path, stored: Vectors, rule: FieldRule, affine: Float[np.ndarray, "4 4"]
) -> None:
    """Write a field with its components on the axis where the rule wants them.

    Args:
        path: ends in `.nii.gz` or `.mha`.
        stored: on the rule's grid, see `as_stored`.
        rule: the task's.
        affine: of the fixed image.

    Raises:
        OutputError: it cannot be written.
    """
    if rule.components == "first" and path.suffix != SUFFIX:  # the platform wants them last
        stored = to_channels_first(stored)
    write_field(path, stored, affine)
