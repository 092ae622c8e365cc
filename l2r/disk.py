"""Files and folders of any kind: written whole or not at all, and told apart by their content.

Writing is atomic: a temporary name in the same folder, flushed to the disk, then renamed.
"""

import csv
import hashlib
import io
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from l2r.errors import OutputError

TEMPORARY = ".part"
"""Ends the name of a file that is not finished; whoever lists a folder ignores them."""


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that appears under its name only when it is complete and on the disk.

    Raises:
        OutputError: where it cannot be written; what stood there before still stands.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as cause:
        raise OutputError(f"{path}: cannot be written: {cause.strerror or cause}") from cause
    finally:
        with suppress(OSError):  # gone already, unless something went wrong
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A place for a library that writes by name; what it leaves there gets the name when whole.

    Raises:
        OutputError: where it cannot be written; what stood there before still stands.
    """
    try:
        with TemporaryDirectory(dir=path.parent, prefix=".") as folder:
            place = Path(folder) / path.name
            yield place
            place.replace(path)
    except (OSError, RuntimeError) as cause:  # the latter of ITK
        reason = " ".join(str(getattr(cause, "strerror", None) or cause).split())
        raise OutputError(f"{path}: cannot be written: {reason}") from None


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a table as CSV, atomically.

    Raises:
        OutputError: as for `writing`.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows(rows)
    with writing(path) as file:
        file.write(text.getvalue().encode())


def can_see(path: Path) -> bool:
    """Tell if a file is there; a folder that may not be entered hides what it holds."""
    try:
        return path.is_file()
    except PermissionError:
        return False


def make_folder(folder: Path) -> None:
    """A folder with all that lie above it, unless it is there.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise OutputError(f"{folder}: cannot be made: {cause.strerror or cause}") from None


def sha256(path: Path) -> str:
    """Hash of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
