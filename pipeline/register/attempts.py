"""Counts how often the work at a pair has begun and not ended, because its process was killed.

The count is a small file beside the fields, so that it outlives workers, schedulers and commands.
A new run removes it, see `pipeline.workdir`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from l2r.disk import TEMPORARY
from l2r.errors import OutputError

MOST = 3
"""Workers that one pair may kill."""


@contextmanager
def attempt(folder: Path, name: str) -> Iterator[int]:
    """Number of the processes that were killed at this pair so far; one less than the attempts.

    Args:
        folder: of the fields.
        name: of the pair's field.

    Raises:
        OutputError: the folder cannot be written to.
    """
    path = folder / f".{name}.begun{TEMPORARY}"
    try:
        with path.open("ab") as file:
            file.write(b".")
            file.flush()
            before = file.tell() - 1
        yield before
        path.unlink(missing_ok=True)
    except OSError as cause:
        raise OutputError(f"{path}: cannot be written: {cause.strerror or cause}") from None
