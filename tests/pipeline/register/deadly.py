"""Preloaded by a worker: whatever takes up the pair of subject 4 is killed, as by the kernel."""

import os
import signal
from collections.abc import Callable

from l2r.pairs import Pair
from l2r.prepare import Prepared, PreparePair


def _deadly(plain: Callable[..., Prepared]) -> Callable[..., Prepared]:
    def deadly(self: PreparePair, pair: Pair) -> Prepared:
        if "0004" in pair.fixed.name:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(self, pair)

    return deadly


PreparePair.__call__ = _deadly(PreparePair.__call__)  # type: ignore[method-assign]
