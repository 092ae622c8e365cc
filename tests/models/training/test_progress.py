import math

from models.training.state import Progress
from models.training.step import mean_losses


def test_means_are_those_of_the_steps_that_were_taken() -> None:
    progress = Progress()
    for losses in ({"a": 1.0, "b": 4.0}, None, {"a": 3.0, "b": 0.0}):
        progress.count(losses)
    assert progress.means(["a", "b"]) == {"a": 2.0, "b": 2.0}
    assert (progress.step, progress.skipped, progress.in_a_row) == (3, 1, 0)


def test_an_epoch_without_a_step_that_was_taken_has_means_that_are_no_numbers() -> None:
    progress = Progress()
    progress.count(None)
    assert all(math.isnan(mean) for mean in progress.means(["a", "b"]).values())


def test_the_mean_of_several_batches_is_taken_loss_by_loss() -> None:
    assert mean_losses([{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 6.0}]) == {"a": 2.0, "b": 4.0}


def test_parts_and_seconds_are_those_of_the_epoch() -> None:
    progress = Progress()
    progress.count({"a": 1.0}, {"lncc": 1.0}, 2.0)
    progress.count({"a": 1.0}, {"lncc": 3.0}, 4.0)
    assert (progress.mean_parts, progress.seconds) == ({"lncc": 2.0}, 6.0)
    progress.next_epoch()
    assert (progress.mean_parts, progress.seconds) == ({}, 0.0)


def test_a_step_that_was_skipped_has_no_parts() -> None:
    progress = Progress()
    progress.count({"a": 1.0}, {"lncc": 1.0})
    progress.count(None, {"lncc": 9.0})
    assert progress.mean_parts == {"lncc": 1.0}
