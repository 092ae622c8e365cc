"""Short names of files and folders, as long as it takes to tell them apart."""

from collections.abc import Sequence
from pathlib import Path


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """Name each path by its last part, with as many of its folders as tell it from the others.

    Example:
        >>> distinct_names([Path("/one/fields"), Path("/other/fields")])
        ['one/fields', 'other/fields']
    """
    resolved = [path.resolve() for path in paths]
    for depth in range(1, max(len(path.parts) for path in resolved)):
        names = [Path(*path.parts[-depth:]).as_posix() for path in resolved]
        if len(set(names)) == len(names):
            return names
    return [f"{path.name} ({number})" for number, path in enumerate(resolved, start=1)]
