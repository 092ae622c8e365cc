"""Calls a function for many items on Dask's workers.

A task is a batch of items, and few tasks are with the scheduler at a time, so that neither seconds
nor memory grow with the list. A task that Dask blames for the end of several workers may only have
waited on them: who calls decides.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from distributed import Client, Future, KilledWorker, as_completed
from distributed.client import FutureCancelledError

from l2r.cluster.batches import Batches, Part, ResultT, TaskT, work_through
from l2r.errors import ClusterError


class Workers:
    """Workers of one scheduler."""

    def __init__(self, client: Client, *, gpus: bool) -> None:
        """Take over a connection.

        Args:
            client: of the scheduler.
            gpus: the workers state `GPU=1` as a resource, which tasks on GPUs then ask for.
        """
        self._client, self.gpus = client, gpus

    @property
    def dashboard(self) -> str:
        """The address of Dask's pages about its workers."""
        return self._client.dashboard_link

    def first(self, work: Callable[[TaskT], ResultT], item: TaskT) -> ResultT:
        """The outcome for one item, as soon as there is a worker.

        Raises:
            ClusterError: its worker was killed several times, or the scheduler is gone.
        """
        return next(self.in_order(work, [item]))

    def in_order(
        self, work: Callable[[TaskT], ResultT], items: Iterable[TaskT]
    ) -> Iterator[ResultT]:
        """Outcomes in the order of the items, each as soon as it and all before it are known.

        Args:
            work: a picklable function or object.
            items: small and picklable, like the outcomes.

        Raises:
            ClusterError: several workers were killed at one item, or the scheduler is gone.
        """
        batches = self._batches(items)
        running = deque((self._submit(work, batch), batch) for batch in batches.more())
        while running:
            future, batch = running.popleft()
            with _lost_connections():
                try:
                    part: Part[ResultT] = future.result()
                except KilledWorker as killed:
                    raise ClusterError(_blame(killed)) from None
            if left := batches.end(batch, part):
                running.appendleft((self._submit(work, left), left))
            running.extend((self._submit(work, more), more) for more in batches.more())
            yield from part.outcomes

    def as_finished(
        self, work: Callable[[TaskT], ResultT], items: Iterable[TaskT]
    ) -> Iterator[ResultT]:
        """Outcomes as they come; an item is tried until it has one.

        Args:
            work: as above; it must give up by itself an item that kills its workers.
            items: as above.

        Raises:
            ClusterError: the scheduler is gone.
        """
        batches = self._batches(items)
        running = {self._submit(work, batch): batch for batch in batches.more()}
        coming = as_completed(running)
        while running:
            with _lost_connections():
                future = next(coming)
                batch = running.pop(future)
                try:
                    part: Part[ResultT] = future.result()
                except KilledWorker:
                    part = Part()
            left = batches.end(batch, part)
            for each in (*([left] if left else ()), *batches.more()):
                again = self._submit(work, each)
                running[again] = each
                coming.add(again)
            yield from part.outcomes

    def _batches(self, items: Iterable[TaskT]) -> Batches[TaskT]:
        with _lost_connections():
            return Batches(items, workers=len(self._client.nthreads()))

    def _submit(self, work: Callable[[TaskT], ResultT], batch: list[TaskT]) -> "Future[Any]":
        resources = {"GPU": 1} if self.gpus else None
        with _lost_connections():
            return self._client.submit(work_through, work, batch, pure=False, resources=resources)


@contextmanager
def _lost_connections() -> Iterator[None]:
    """Say that the scheduler is gone where Dask has several words for it."""
    try:
        yield
    except (FutureCancelledError, OSError, TimeoutError) as cause:
        raise ClusterError(
            f"the scheduler is gone ({type(cause).__name__}); the same command goes on where this "
            "one has stopped"
        ) from None


def _blame(killed: KilledWorker) -> str:
    worker = getattr(killed.last_worker, "address", "a worker")
    return f"{worker}: killed, and so were others before it at the same work; is memory short?"
