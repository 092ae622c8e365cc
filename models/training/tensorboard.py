"""A training for TensorBoard: curves and pictures."""

from pathlib import Path

from tensorboardX import SummaryWriter

from models.training.logging import EpochLog, Logger, StepLog


class TensorBoard(Logger):
    """Event files, `tensorboard --logdir` shows them; one more for each leg of a training."""

    def __init__(self, folder: Path) -> None:
        self._writer = SummaryWriter(str(folder), write_to_disk=True)

    def for_part(self, folder: Path) -> "TensorBoard":
        return TensorBoard(folder / "tensorboard")

    def step(self, news: StepLog) -> None:
        place = news.epoch * news.steps + news.step
        for name, loss in (news.losses or {}).items():
            self._writer.add_scalar(f"step/{name}", loss, place)
        for name, value in news.parts.items():
            self._writer.add_scalar(f"step/similarity of {name}", value, place)

    def epoch(self, news: EpochLog) -> None:
        kinds = {"training": news.training, "validation": news.validation, "score": news.scores}
        for kind, values in kinds.items():
            for name, value in values.items():
                self._writer.add_scalar(f"{kind}/{name}", value, news.epoch + 1)
        for kind, values in (
            ("training", news.training_parts),
            ("validation", news.validation_parts),
        ):
            for name, value in values.items():
                self._writer.add_scalar(f"{kind}/similarity of {name}", value, news.epoch + 1)
        self._writer.add_scalar("seconds per step", news.seconds_per_step, news.epoch + 1)
        self._writer.add_scalar("peak memory in GiB", news.peak_memory_gib, news.epoch + 1)
        self._writer.add_scalar("learning rate", news.learning_rate, news.epoch + 1)
        if news.picture is not None:
            title = "moving, fixed, warped, grid, folds"
            self._writer.add_image(title, news.picture, news.epoch + 1, dataformats="HWC")
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()
