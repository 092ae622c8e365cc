"""Looks at the workers from time to time: whether any can still come, and whether one has a GPU."""

import time
from collections.abc import Callable
from typing import TypeAlias

from distributed import Client

from l2r.errors import ClusterError

LOOK_S = 5.0
"""Seconds between two looks."""
NoneComes: TypeAlias = Callable[[], str | None]
"""Why no worker will come; None if one may."""


def one_may_come() -> str | None:
    """The answer for workers that others start."""
    return None


class Watch:
    """The workers of a scheduler, as they were a few seconds ago."""

    def __init__(self, client: Client, none_comes: NoneComes, patience_s: float) -> None:
        """Look at nothing yet."""
        self._client, self._none_comes, self._patience_s = client, none_comes, patience_s
        self._looked, self._alone = float("-inf"), time.monotonic()
        self.gpus = False
        """Whether any worker has stated `GPU=1` as a resource."""

    def look(self) -> None:
        """Look at the workers, unless that was done a moment ago.

        Raises:
            ClusterError: there is no worker, and none will come.
        """
        if time.monotonic() - self._looked < LOOK_S:
            return
        workers = self._client.scheduler_info(n_workers=-1)["workers"].values()
        self._looked = time.monotonic()
        self.gpus = self.gpus or any(worker["resources"].get("GPU") for worker in workers)
        reason = None if workers else self._none_comes()
        if reason is None:
            self._alone = self._looked
        elif self._looked - self._alone > self._patience_s:
            raise ClusterError(reason)
