"""Real and synthetic pairs in one training."""

from models.training.dataset import Dataset, Sample


class Mixture(Dataset):
    """Real pairs, evenly spread among synthetic ones.

    All samples of a batch are of one kind, so that either all of them have labels or none has. Real
    pairs go on where the epoch before left them: each has its turn.
    """

    def __init__(self, real: Dataset, synthetic: Dataset, share: float, batch: int) -> None:
        """`share`: of the batches that are real; an epoch is as long as the synthetic one."""
        self._real, self._synthetic = real, synthetic
        self._share, self._batch = share, batch

    def __len__(self) -> int:
        return len(self._synthetic)

    def read(self, epoch: int, number: int) -> Sample:
        batch, place = divmod(number, self._batch)
        before = self._real_batches(batch)
        if self._real_batches(batch + 1) == before:
            return self._synthetic.read(epoch, number)
        per_epoch = self._real_batches(len(self) // self._batch)
        turn = (epoch * per_epoch + before) * self._batch + place
        return self._real.read(*divmod(turn, len(self._real)))

    def _real_batches(self, batches: int) -> int:
        """Count the real ones among the first batches of an epoch."""
        return int(batches * self._share)
