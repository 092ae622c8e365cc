"""Improvement of a pair's field, and warnings where nothing improved it."""

from collections.abc import Iterator

from pipeline.register.records import Predicted

UNIMPROVED = "no step of the refinement made the field better; see the images and the run file"
STILL = "the network moved nothing; is it trained, and for such images?"
KEPT_LAST = "the last step of a refinement is kept, although none was better than its start"
NO_TIME = "no time for a step of the refinement; the field is as the network left it"


def is_unimproved(predicted: Predicted) -> bool:
    """True if a network or refinements were to make the field better and nothing of theirs did.

    A network's field that a time budget leaves as it is counts as done.
    """
    refinements = predicted.refinements
    if any(refinement.improved for refinement in refinements):
        return False
    if not refinements:
        return predicted.still
    return not _out_of_time(predicted) or predicted.still or not bool(predicted.field.any())


def shortcomings(predicted: Predicted) -> Iterator[str]:
    """Yield a warning for each part of a registration that gave nothing."""
    if predicted.still:
        yield STILL
    for one in predicted.refinements:
        if one.improved and not any(level.best_step for level in one.levels):
            yield KEPT_LAST
    if predicted.refinements and is_unimproved(predicted):
        yield UNIMPROVED
    elif _out_of_time(predicted):
        yield NO_TIME


def _out_of_time(predicted: Predicted) -> bool:
    """True if the deadline ended a refinement, and none before it had improved the field."""
    refinements = predicted.refinements
    late = any(one.levels[-1].stopped == "deadline" for one in refinements)
    return late and not any(one.improved for one in refinements)
