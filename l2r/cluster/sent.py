"""Batches that are with the scheduler, each with the future of its outcomes."""

from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeAlias

from distributed import Client, Future

from l2r.cluster.batches import ResultT, TaskT, work_through
from l2r.cluster.watch import LOOK_S, Watch

EndedBatch: TypeAlias = tuple["Future[Any]", list[TaskT]]


class Sent(Generic[TaskT, ResultT]):
    """Batches in the order in which they were sent."""

    def __init__(self, client: Client, watch: Watch, work: Callable[[TaskT], ResultT]) -> None:
        """Begin with none."""
        self._client, self._watch, self._work = client, watch, work
        self._batches: dict[str, EndedBatch[TaskT]] = {}
        self._ended: SimpleQueue[str] = SimpleQueue()
        self._to_gpus = watch.gpus

    def __bool__(self) -> bool:
        """True if any is with the scheduler."""
        return bool(self._batches)

    def send(self, batches: Iterable[list[TaskT]]) -> None:
        """Send batches after those that were sent before."""
        for batch in batches:
            self._batches |= self._submit(batch)

    def send_first(self, batch: list[TaskT]) -> None:
        """Send a batch that counts as sent before all others."""
        self._batches = self._submit(batch) | self._batches

    def first(self) -> EndedBatch[TaskT]:
        """Wait for the batch that was sent first, and take it out.

        Raises:
            ClusterError: there is no worker, and none will come.
        """
        while not self._batches[key := next(iter(self._batches))][0].done():
            self._wait()
        return self._batches.pop(key)

    def any(self) -> EndedBatch[TaskT]:
        """Wait until a batch has ended, and take it out.

        Raises:
            ClusterError: there is no worker, and none will come.
        """
        while (key := self._wait()) not in self._batches:
            pass
        return self._batches.pop(key)

    def _submit(self, batch: list[TaskT]) -> dict[str, EndedBatch[TaskT]]:
        resources = {"GPU": 1} if self._to_gpus else None
        future = self._client.submit(
            work_through, self._work, batch, pure=False, resources=resources
        )
        future.add_done_callback(lambda ended: self._ended.put(ended.key))
        return {future.key: (future, batch)}

    def _wait(self) -> str | None:
        """The key of a batch that has ended, or None after a while; look at the workers."""
        self._watch.look()
        if self._watch.gpus and not self._to_gpus:
            self._move_to_gpus()
        try:
            return self._ended.get(timeout=LOOK_S)
        except Empty:
            return None

    def _move_to_gpus(self) -> None:
        """Send anew, for workers with GPUs alone, what no worker has begun."""
        self._to_gpus = True
        begun = {key for keys in self._client.processing().values() for key in keys}
        before, self._batches = self._batches, {}
        for key, (future, batch) in before.items():
            if key in begun or future.done():
                self._batches[key] = (future, batch)
            else:
                future.cancel()
                self.send([batch])
