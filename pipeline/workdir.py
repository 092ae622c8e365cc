"""The output folder: made, proven writable, and rid of what a killed run left unfinished."""

from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryFile

from l2r.disk import TEMPORARY
from l2r.errors import OutputError


def open_folder(folder: Path, names: Collection[str] | None = None) -> Path:
    """Make the folder ready to be written to.

    Args:
        folder: is made where it is missing.
        names: the files that will be written. Only what was left unfinished of these is removed:
            other files may be in the making, by another shard. Without names it is of any file.

    Raises:
        OutputError: it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for unfinished in folder.glob(f".*{TEMPORARY}"):
            if names is None or _meant(unfinished) in names:
                unfinished.unlink(missing_ok=True)
        with TemporaryFile(dir=folder) as probe:  # nameless: nobody's way, and gone if we are
            probe.write(b"regatta")
    except OSError as cause:
        raise OutputError(f"{folder}: cannot be used: {cause.strerror or cause}") from None
    return folder


def _meant(unfinished: Path) -> str:
    """The name that the file would have got, see `l2r.disk.writing`."""
    return unfinished.name.removeprefix(".").removesuffix(TEMPORARY).rpartition(".")[0]
