"""Files of a submission that no pair needs: the scorers ignore them, and so do we, with a word."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from l2r.pairs import Pair
from l2r.submission import JOURNALS, MANIFEST, accepted_names
from l2r.task import FieldRule

COMPANIONS = {MANIFEST, "metrics.json"}
"""Written by a run and by the judge."""
SHOWN = 3
"""Files that are named."""


def surplus(present: Sequence[str], rule: FieldRule, pairs: Sequence[Pair]) -> list[str]:
    """Files that no pair needs and that are not ours.

    A field that is needed but lies in a folder is missing, not surplus.

    Args:
        present: every file of the submission.
        rule: for the names of fields.
        pairs: all that the scorer asks for.
    """
    wanted = {name for pair in pairs for name in accepted_names(rule, pair)}
    misplaced = wanted - set(present)
    return [
        name
        for name in present
        if name not in wanted
        and PurePosixPath(name.replace("\\", "/")).name not in misplaced
        and not _companion(name)
    ]


def described(extra: Sequence[str]) -> str:
    """One line about surplus files."""
    what, it = ("file", "it") if len(extra) == 1 else ("files", "them")
    return f"{len(extra)} {what} that no pair needs ({shortened(extra)}); the scorer ignores {it}"


def shortened(names: Sequence[str]) -> str:
    """The first names of several, each on its line whatever it holds."""
    shown = [name if name.isprintable() else repr(name) for name in names[:SHOWN]]
    return ", ".join(shown) + (", ..." if len(names) > SHOWN else "")


def _companion(name: str) -> bool:
    return name in COMPANIONS or fnmatchcase(name, JOURNALS)
