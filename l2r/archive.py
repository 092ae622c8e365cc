"""Refusal of zips that could do harm, before a byte of them is unpacked.

Nothing of a submission is ever written to the disk: its members are read into memory one by one,
and never more of a member than a field may have.
"""

import re
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from l2r.errors import SubmissionError

MEMBERS = 10_000
"""The largest submission of any challenge so far has 590."""
MEMBER_BYTES = 4 << 30
TOTAL_BYTES = 256 << 30
"""Both after unpacking."""
RATIO = 200
"""How far a member may shrink; fields that are packed already hardly do."""
SMALL = 16 << 20
"""Bytes below which the ratio does not matter: a field of zeros, packed, packs well again."""

_DRIVE = re.compile(r"[A-Za-z]:")


def members(archive: zipfile.ZipFile, path: Path) -> dict[str, str]:
    """The files in a zip: the names that unpacking gives them, with the stored ones.

    `./a` and `b//a` unpack to `a` and `b/a`. A backslash is part of a name on Linux, where the
    scorers run.

    Args:
        archive: the zip.
        path: names it in messages.

    Raises:
        SubmissionError: a member leaves the folder that it would be unpacked to, is no plain file,
            stands twice, or would unpack to far more than any field.
    """
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    for problem in _problems(entries):
        raise SubmissionError(f"{path}: {problem}; zip the fields alone, as plain files")
    return {_unpacked(entry): entry.filename for entry in entries}


def _problems(entries: list[zipfile.ZipInfo]) -> Iterator[str]:
    if len(entries) > MEMBERS:
        yield f"{len(entries)} files, but at most {MEMBERS} are read"
    if sum(entry.file_size for entry in entries) > TOTAL_BYTES:
        yield f"it would unpack to more than {TOTAL_BYTES >> 30} GiB"
    seen = set()
    for entry in entries:
        shown = entry.filename if entry.filename.isprintable() else repr(entry.filename)
        if _unpacked(entry) in seen:
            yield f"{shown} stands more than once"
        seen.add(_unpacked(entry))
        yield from (f"{shown} {problem}" for problem in _problems_of(entry))


def _problems_of(entry: zipfile.ZipInfo) -> Iterator[str]:
    if _leaves(entry.filename):
        yield "would be unpacked outside the folder of the submission"
    if not _plain(entry):
        yield "is a link or a device"
    if entry.file_size > MEMBER_BYTES:
        yield f"would unpack to {entry.file_size} bytes, but no field is that large"
    if entry.file_size > max(SMALL, RATIO * entry.compress_size):
        yield f"would unpack to more than {RATIO} times its size, as a zip bomb does"


def _unpacked(entry: zipfile.ZipInfo) -> str:
    return str(PurePosixPath(entry.filename))


def _leaves(name: str) -> bool:
    absolute = name.startswith(("/", "\\")) or _DRIVE.match(name) is not None
    return absolute or ".." in PurePosixPath(name.replace("\\", "/")).parts


def _plain(entry: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(entry.external_attr >> 16)  # 0 where the zip was not made on a Unix
    return kind in {0, stat.S_IFREG}
