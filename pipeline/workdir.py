"""The output folder: made, proven writable, and rid of what a killed run left unfinished."""

from pathlib import Path
from tempfile import TemporaryFile

from l2r.errors import OutputError
from l2r.files import TEMPORARY


def open_folder(folder: Path, *, shared: bool = False) -> Path:
    """Make the folder ready to be written to.

    Args:
        folder: of the fields.
        shared: other runs may be writing there now, so what is unfinished stays.

    Raises:
        OutputError: it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for unfinished in () if shared else folder.glob(f".*{TEMPORARY}"):
            unfinished.unlink()
        with TemporaryFile(dir=folder, buffering=0) as probe:
            probe.write(b"regatta")
    except OSError as cause:
        raise OutputError(f"{folder}: cannot be used: {cause.strerror or cause}") from None
    return folder
