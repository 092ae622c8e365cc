"""Calls a function for many items on Dask's workers.

A task is a batch of items, and few tasks are with the scheduler at a time, so that neither seconds
nor memory grow with the list. A task that Dask blames for the end of several workers may only have
waited on them: who calls decides.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from distributed import Client, KilledWorker
from distributed.client import FutureCancelledError

from l2r.cluster.batches import Batches, Part, ResultT, TaskT
from l2r.cluster.sent import Sent
from l2r.cluster.watch import NoneComes, Watch, one_may_come
from l2r.errors import ClusterError


class Workers:
    """Workers of one scheduler."""

    def __init__(
        self,
        client: Client,
        none_comes: NoneComes = one_may_come,
        patience_s: float = 0.0,
    ) -> None:
        """Take over a connection; if any worker states `GPU=1`, tasks ask for it.

        Args:
            client: of the scheduler.
            none_comes: says why no worker will come, when there is none.
            patience_s: how long it must say so before the run ends.
        """
        self._client, self._watch = client, Watch(client, none_comes, patience_s)

    @property
    def dashboard(self) -> str:
        """The address of Dask's pages about its workers."""
        return self._client.dashboard_link

    def first(self, work: Callable[[TaskT], ResultT], item: TaskT) -> ResultT:
        """The outcome for one item, as soon as there is a worker.

        Raises:
            ClusterError: as for `in_order`.
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
            ClusterError: several workers were killed at one item, no worker can start, or the
                scheduler is gone.
        """
        batches, sent = self._begin(work, items)
        while sent:
            with _lost_connections():
                future, batch = sent.first()
                try:
                    part: Part[ResultT] = future.result()
                except KilledWorker as killed:
                    raise ClusterError(_blame(killed)) from None
                if left := batches.end(batch, part):
                    sent.send_first(left)
                sent.send(batches.more())
            yield from part.outcomes

    def as_finished(
        self, work: Callable[[TaskT], ResultT], items: Iterable[TaskT]
    ) -> Iterator[ResultT]:
        """Outcomes as they come; an item is tried until it has one.

        Args:
            work: as above; it must give up by itself an item that kills its workers.
            items: as above.

        Raises:
            ClusterError: no worker can start, or the scheduler is gone.
        """
        batches, sent = self._begin(work, items)
        while sent:
            with _lost_connections():
                future, batch = sent.any()
                try:
                    part: Part[ResultT] = future.result()
                except KilledWorker:
                    part = Part()
                if left := batches.end(batch, part):
                    sent.send([left])
                sent.send(batches.more())
            yield from part.outcomes

    def _begin(
        self, work: Callable[[TaskT], ResultT], items: Iterable[TaskT]
    ) -> tuple[Batches[TaskT], Sent[TaskT, ResultT]]:
        with _lost_connections():
            self._watch.look()
            batches = Batches(items, workers=len(self._client.nthreads()))
            sent = Sent(self._client, self._watch, work)
            sent.send(batches.more())
        return batches, sent


@contextmanager
def _lost_connections() -> Iterator[None]:
    """Say that the scheduler is gone where Dask has several words for it."""
    try:
        yield
    except ImportError as cause:
        raise ClusterError(
            f"a worker cannot load its program: {cause}; it needs the same packages, and "
            "those of Regatta"
        ) from None
    except (FutureCancelledError, OSError, TimeoutError) as cause:
        raise ClusterError(
            f"the scheduler is gone ({type(cause).__name__}); the same command goes on where this "
            "one has stopped"
        ) from None


def _blame(killed: KilledWorker) -> str:
    worker = getattr(killed.last_worker, "address", "a worker")
    return f"{worker}: killed, and so were others before it at the same work; is memory short?"
