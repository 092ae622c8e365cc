"""The output folder: made, proven writable, and rid of what a killed run left unfinished."""

from pathlib import Path

from l2r.errors import OutputError
from l2r.files import TEMPORARY, writing


def open_folder(folder: Path) -> Path:
    """Make the folder ready to be written to.

    Raises:
        OutputError: it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for unfinished in folder.glob(f".*{TEMPORARY}"):
            unfinished.unlink()
    except OSError as cause:
        raise OutputError(f"{folder}: cannot be used: {cause.strerror or cause}") from None
    probe = folder / ".writable"
    with writing(probe) as file:
        file.write(b"regatta")
    probe.unlink()
    return folder
