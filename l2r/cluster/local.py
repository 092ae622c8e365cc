"""The words `local:4`."""

import re

from l2r.errors import ConfigError

_LOCAL = re.compile(r"local:([1-9]\d{0,3})", re.ASCII)


def local_count(text: str) -> int | None:
    """Number of worker processes that `local:4` names; None for other places.

    Raises:
        ConfigError: it begins so, and no number follows.
    """
    if not text.startswith("local"):
        return None
    found = _LOCAL.fullmatch(text)
    if found is None:
        raise ConfigError(f"--cluster {text}: must look like local:4, four worker processes")
    return int(found[1])
