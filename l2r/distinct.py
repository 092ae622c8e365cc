"""Names that tell the pairs of a list apart, also where files of many subjects are called alike."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from l2r.errors import DatasetError
from l2r.pairs import Pair, Scan

_LONGEST = 200
"""Bytes of two names; a file system takes 255, with what is put around them."""


def distinct(pairs: list[Pair], dataset: Path) -> list[Pair]:
    """The pairs with a name for each, unless one stands twice: the same paths, that is.

    Images in a folder per subject often have one file name; their folders then tell them apart.

    Raises:
        DatasetError: a pair stands twice.
    """
    twice = [pair for pair, count in Counter(pairs).items() if count > 1]
    if twice:
        raise DatasetError(f"{dataset}: the pair {twice[0].name} stands more than once; remove one")
    named = [_with_folders(p) if _is_ambiguous(p) else p for p in pairs]
    for tell_apart in (_with_folders, _with_hash):
        counts = Counter(_joined(pair) for pair in named)
        named = [tell_apart(pair) if counts[_joined(pair)] > 1 else pair for pair in named]
    return named


def _is_ambiguous(pair: Pair) -> bool:
    """Tell if both images have one file name, so that not even their order shows."""
    return pair.fixed.stem == pair.moving.stem and pair.fixed != pair.moving


def _joined(pair: Pair) -> str:
    """The name of the pair in a file name; longer pieces of other pairs may join to the same."""
    return f"{pair.fixed.name}_{pair.moving.name}"


def _with_folders(pair: Pair) -> Pair:
    """Each image is called by its whole path, `sub-01_anat_T1w`."""

    def alias(scan: Scan) -> str:
        return "_".join((*scan.relative.parts[:-1], scan.stem))

    renamed = _renamed(pair, alias)
    return renamed if len(_joined(renamed).encode()) <= _LONGEST else _with_hash(pair)


def _with_hash(pair: Pair) -> Pair:
    """Each image is called by its file name and a hash of its path."""

    def alias(scan: Scan) -> str:
        return f"{scan.stem}-{hashlib.sha256(str(scan.relative).encode()).hexdigest()[:8]}"

    return _renamed(pair, alias)


def _renamed(pair: Pair, alias: Callable[[Scan], str]) -> Pair:
    fixed, moving = (replace(scan, alias=alias(scan)) for scan in (pair.fixed, pair.moving))
    return Pair(fixed, moving)
