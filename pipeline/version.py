"""The version and the commit of this code."""

import subprocess
from pathlib import Path

from l2r import __version__

ROOT = Path(__file__).parents[1]


def current_commit() -> str | None:
    """Commit of the repository, with `+` where files were changed since; None outside of one."""
    if not (ROOT / ".git").exists():
        return None
    try:
        head, changes = (
            subprocess.run(  # noqa: S603
                ["git", "-C", str(ROOT), *words],  # noqa: S607
                capture_output=True,
                text=True,
                check=True,
                timeout=10,
            ).stdout.strip()
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "-uno"])
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return head + ("+" if changes else "")


def version_line() -> str:
    """Version and commit in one line, as `--version` prints them."""
    return f"regatta {__version__}, commit {current_commit() or 'unknown'}"
