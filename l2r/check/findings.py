"""Faults of a submission, found before its upload.

Names, layout, shapes and values are checked file by file, as the scorer would. The units are
judged over the whole list, where the images are at hand.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from l2r.arrays import Shape
from l2r.check.evidence import Evidence, Verdict, judge, weigh
from l2r.errors import ImageError, L2RError
from l2r.formats.volumes import Image, grid_shape, read_image
from l2r.pairs import Pair, Scan
from l2r.submission import Submission, accepted_names, as_vectors, most_bytes, why_missing
from l2r.surplus import described, shortened, surplus
from l2r.task import Task

StoredVectors = Float[np.ndarray, "x y z 3"]

ALL = "all fields"
"""Name of findings about the list as a whole."""
OTHERS = "other files"
"""Name of the finding about files that no pair needs."""


@dataclass(frozen=True)
class Finding:
    """One thing about a submission that its author should know."""

    name: str
    """The file that it is about."""
    text: str
    kind: Literal["problem", "warning", "note"] = "problem"
    """A problem would cost the submission; a warning is worth a look; a note is neither."""


def check_submission(
    submission: Submission, task: Task, pairs: dict[str, Pair]
) -> Iterator[tuple[str, list[Finding]]]:
    """Check a submission, file by file, and the list as a whole at the end.

    Args:
        submission: the folder or zip.
        task: whose scorer it is for.
        pairs: every pair that the scorer will ask for, by the name of its field.

    Yields:
        Each expected file with what was found, and last the fields as a whole and the files that
        no pair needs, if there is anything to say; an empty list is good news.
    """
    present = submission.names()
    weighed: dict[str, Evidence] = {}
    for name, pair in pairs.items():
        found = [other for other in accepted_names(task.field, pair) if other in present]
        if not found:
            yield name, [Finding(name, _missing(name, present))]
        elif len(found) > 1:
            text = f"{found[1]} is a field of the same pair; remove one"
            yield found[0], [Finding(found[0], text)]
        else:
            yield found[0], list(_check_field(submission, found[0], task, pair, weighed))
    if findings := list(_units(weighed)):
        yield ALL, findings
    if extra := surplus(present, task.field, list(pairs.values())):
        yield OTHERS, [Finding(OTHERS, described(extra), "warning")]


def _missing(name: str, present: list[str]) -> str:
    reason = why_missing(name, present)
    if reason != "no such file":
        return f"missing; {reason}"
    return "missing; the scorer stops at the first field that it does not find"


def _check_field(
    submission: Submission, name: str, task: Task, pair: Pair, weighed: dict[str, Evidence]
) -> Iterator[Finding]:
    """One file's own faults; its evidence for the units goes to `weighed`."""
    try:
        shape = _grid(pair, task)
        vectors = as_vectors(submission.read(name, most_bytes(shape)), shape, task, name)
    except L2RError as error:
        yield Finding(name, str(error).removeprefix(f"{name}: "))
        return
    largest = max(float(vectors.max()), -float(vectors.min()))
    if largest == 0:
        yield Finding(name, "the field is zero everywhere: nothing is registered", "warning")
        return
    if largest > max(shape):
        yield Finding(name, f"displacements of up to {largest:g} voxels leave the grid", "warning")
    elif _whole(vectors):
        yield Finding(name, "whole voxels only: was it stored as integers?", "warning")
    try:
        fixed, moving = (_read(scan, task.data.shape) for scan in (pair.fixed, pair.moving))
    except ImageError as error:
        yield Finding(name, f"units not checked: {error}", "warning")
        return
    weighed[name] = weigh(fixed, moving, vectors)


def _grid(pair: Pair, task: Task) -> Shape:
    if task.data.shape is not None:
        return task.data.shape
    return grid_shape(pair.fixed.path)


def _whole(vectors: StoredVectors) -> bool:
    few = vectors[::7, ::7, ::7]  # settles nearly every case without a look at all values
    return np.array_equal(few, np.rint(few)) and np.array_equal(vectors, np.rint(vectors))


def _read(scan: Scan, shape: Shape | None) -> Image:
    image = read_image(scan.path)
    if shape is not None and image.shape != shape:
        raise ImageError(f"{scan.path}: shape {image.shape}, but the task asks for {shape}")
    return image


def _units(weighed: dict[str, Evidence]) -> Iterator[Finding]:
    """Judgement on the units of the whole list, else of single fields that differ from the rest."""
    if not weighed:
        return
    verdict = judge(list(weighed.values()))
    if verdict.kind == "other":
        yield Finding(ALL, f"the numbers look like {_named(verdict)}")
        return
    alone = {name: judge([evidence]) for name, evidence in weighed.items()}
    others: dict[str, list[str]] = {}
    for name, single in alone.items():
        if single.kind == "other":
            others.setdefault(_named(single), []).append(name)
    for named, names in others.items():
        count = f"{len(names)} of {len(weighed)} fields ({shortened(names)})"
        yield Finding(ALL, f"the numbers of {count} look like {named}")
    if not others:
        yield from _as_a_whole(verdict)


def _named(verdict: Verdict) -> str:
    first, *rest = verdict.readings
    alike = [reading.meaning for reading in rest]
    either = f" (or {', or '.join(alike)}: the images cannot tell)" if alike else ""
    return f"{first.meaning}{either}: {first.remedy}; the images agree better so"


def _as_a_whole(verdict: Verdict) -> Iterator[Finding]:
    if verdict.kind == "outside":
        yield Finding(ALL, "the displacements leave the moving images; which unit are they in?")
    elif verdict.kind == "worse":
        text = "the images agree less with the fields than without them, in whatever unit"
        yield Finding(ALL, text, "warning")
    elif verdict.kind == "open":
        text = "the images do not show whether the units are right, nor that they are wrong"
        yield Finding(ALL, text, "note")
