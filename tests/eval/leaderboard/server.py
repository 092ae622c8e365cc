"""A PostgreSQL server of Debian's packages, for the time of some tests."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "postgres"
"""Debian's user; the server refuses to run as root."""
FASTER = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=40")


def programs() -> Path | None:
    """Folder of the newest server's programs, which Debian keeps out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    return found[-1].parent if found else None


@contextmanager
def server(binaries: Path) -> Iterator[str]:
    """The SQLAlchemy URL of an empty database, on a socket in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="regatta-pg-"))
    if os.getuid() == 0:
        account = pwd.getpwnam(USER)
        os.chown(folder, account.pw_uid, account.pw_gid)
    data, log = folder / "data", folder / "log"
    try:
        _call(binaries / "initdb", "-D", data, "-U", USER, "-A", "trust", "-N", "-E", "UTF8")
        options = [f"-c {option}" for option in FASTER]
        words = " ".join(["-c listen_addresses=''", f"-k {folder}", *options])
        _call(binaries / "pg_ctl", "-D", data, "-l", log, "-w", "-o", words, "start")
        try:
            yield f"postgresql+psycopg://{USER}@/postgres?host={folder}"
        finally:
            _call(binaries / "pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _call(*words: str | Path) -> None:
    as_user = ["runuser", "-u", USER, "--"] if os.getuid() == 0 else []
    subprocess.run(
        [*as_user, *map(str, words)], check=True, cwd="/", stdout=subprocess.DEVNULL, timeout=120
    )


def _version(path: Path) -> int:
    return int(path.parts[-3])
