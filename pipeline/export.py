"""From a displacement field to the file that the scorer reads."""

from dataclasses import dataclass
from pathlib import Path

from l2r.files import write_field
from l2r.submission import as_stored, as_vectors, field_name
from l2r.task import Task
from pipeline.stage import Predicted


@dataclass(frozen=True)
class ExportField:
    """Write one field under the task's name, whole or not at all."""

    task: Task
    folder: Path

    def __call__(self, item: Predicted, /) -> Path:
        """Bring the field back to the fixed image's grid and write it as the scorer wants it.

        Raises:
            FieldError: it holds NaN or infinite values.
            OutputError: it cannot be written.
        """
        prepared = item.prepared
        path = self.folder / field_name(self.task.field, prepared.pair)
        vectors = as_stored(prepared.grid.place(item.vectors), self.task.field)
        as_vectors(vectors, prepared.grid.shape, self.task, path.name)  # as strict as the scorer
        write_field(path, vectors, prepared.affine)
        return path
