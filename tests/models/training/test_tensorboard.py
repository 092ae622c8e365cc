"""What TensorBoard gets to see."""

import struct
from pathlib import Path

import numpy as np
from tensorboardX.proto.event_pb2 import Event

from models.training.logging import EpochLog, StepLog
from models.training.tensorboard import TensorBoard


def events(folder: Path) -> list[Event]:
    """Of the one event file: length, its checksum, the event, its checksum, and so on."""
    (path,) = folder.iterdir()
    content, place, found = path.read_bytes(), 0, []
    while place < len(content):
        (length,) = struct.unpack_from("<Q", content, place)
        found.append(Event.FromString(content[place + 12 : place + 12 + length]))
        place += 16 + length
    return found


def test_curves_and_a_picture(tmp_path: Path) -> None:
    board = TensorBoard(tmp_path / "tensorboard")
    board.step(StepLog(2, 3, 10, {"similarity": -0.25}, 0.0, 1.5, {"lncc": -0.75}))
    board.step(StepLog(2, 4, 10, None, 0.0))
    shown = np.full((4, 6, 3), 7, np.uint8)
    news = EpochLog(2, 5, 1e-4, {"similarity": -0.5}, {"similarity": -0.75}, {"DSC": 0.625})
    news.picture = shown
    news.training_parts, news.validation_parts = {"lncc": -0.5}, {"lncc": -0.625}
    news.seconds_per_step, news.peak_memory_gib = 2.0, 3.0
    board.epoch(news)
    board.close()
    values = {
        value.tag: (event.step, value)
        for event in events(tmp_path / "tensorboard")
        for value in event.summary.value
    }
    numbers = {
        tag: (step, value.simple_value)
        for tag, (step, value) in values.items()
        if value.HasField("simple_value")
    }
    assert {tag.replace("_", " "): pair for tag, pair in numbers.items()} == {
        "step/similarity": (23, -0.25),
        "step/similarity of lncc": (23, -0.75),
        "training/similarity of lncc": (3, -0.5),
        "validation/similarity of lncc": (3, -0.625),
        "seconds per step": (3, 2.0),
        "peak memory in GiB": (3, 3.0),
        "training/similarity": (3, -0.5),
        "validation/similarity": (3, -0.75),
        "score/DSC": (3, 0.625),
        "learning rate": (3, np.float32(1e-4)),
    }
    (picture,) = [value.image for _, value in values.values() if value.HasField("image")]
    assert (picture.height, picture.width) == (4, 6)
