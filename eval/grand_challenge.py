"""The evaluation container of a phase on grand-challenge.org.

In the phase of an algorithm, the platform mounts the outputs of every job at
`/input/<pk>/output/<relative_path>`, with a list of the jobs in `/input/predictions.json`:

    [{"pk": ..., "inputs": [{"interface": {"slug": ...}, "image": {"name": ...}}, ...],
      "outputs": [{"interface": {"slug": ..., "relative_path": ...}}, ...]}, ...]

In newer phases `interface` is called `socket`. In a phase of uploaded predictions, `/input` holds
the unpacked zip. The platform reads `/output/metrics.json`, which must be strict JSON, and shows
the last line of stderr to the participant.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float
from pydantic import RootModel

from eval.commands import Reference, score_with_progress
from eval.metrics_file import write_metrics
from l2r.errors import DatasetError, OutputError, SubmissionError
from l2r.formats.fields import read_field
from l2r.formats.table import FIELD_SUFFIXES, IMAGE_SUFFIXES, strip_suffix
from l2r.pairs import Pair
from l2r.schema import Tolerant, parse, read_json
from l2r.sockets import Value
from l2r.submission import Submission, accepted_names, field_name, open_submission
from l2r.task import FieldRule

PREDICTIONS = "predictions.json"
"""The platform's list of an algorithm's jobs, beside the folders of their outputs."""


class _Job(Tolerant):
    pk: str
    inputs: list[Value]
    outputs: list[Value]


class _Jobs(RootModel[list[_Job]]):
    pass


class Predictions(Submission):
    """The outputs of jobs, under the names that the scorer expects."""

    def __init__(self, path: Path, files: dict[str, Path]) -> None:
        super().__init__(path)
        self.files = files

    def names(self) -> list[str]:
        return sorted(self.files)

    def read(self, name: str, most: int | None = None) -> Float[np.ndarray, "..."]:
        return read_field(self.files[name], None, most)


def evaluate(
    folder: Path, reference: Reference, output: Path, *, socket: str | None, jobs: int
) -> None:
    """Score what the platform mounted.

    Args:
        folder: of `predictions.json`, or of the unpacked submission.
        reference: what it is compared with; without a pair list, that in the ground truth's folder.
        output: `metrics.json`.
        socket: slug of the output that is the field, where a job has several.
        jobs: processes.

    Raises:
        L2RError: something is missing or cannot be used.
    """
    if not output.parent.is_dir():
        raise OutputError(f"{output}: the folder does not exist; mount it")
    scorer, pairs = _with_dataset(reference).load()
    if (folder / PREDICTIONS).is_file():
        submission: Submission = predictions(folder, scorer.task.field, pairs, socket)
    else:
        submission = _uploaded(folder)
    report = score_with_progress(scorer, submission, pairs, jobs)
    write_metrics(output, report.metrics_file(), strict=True)


def predictions(
    folder: Path, rule: FieldRule, pairs: list[Pair], socket: str | None = None
) -> Predictions:
    """The fields of the jobs that `predictions.json` lists.

    A field belongs to a pair if its file has a name that the scorer takes, or if the names of the
    job's input images are those of the pair.

    Raises:
        SubmissionError: the list is faulty, or a job has no field, or it is not clear which.
    """
    listed = folder / PREDICTIONS
    jobs = parse(_Jobs, read_json(listed, SubmissionError), str(listed), SubmissionError).root
    names = {name for pair in pairs for name in accepted_names(rule, pair)}
    files: dict[str, Path] = {}
    for job in jobs:
        path = _field(folder, job, socket, _suffixes(rule))
        name = path.name if path.name in names else _name_of(job, rule, pairs, listed, path)
        if name in files:
            raise SubmissionError(f"{listed}: job {job.pk}: another job has the field {name}, too")
        files[name] = path
    return Predictions(folder, files)


def _suffixes(rule: FieldRule) -> tuple[str, ...]:
    """Ends of the names that a field may have; NumPy's only where the scorer takes them."""
    if rule.npz:
        return FIELD_SUFFIXES
    return tuple(suffix for suffix in FIELD_SUFFIXES if suffix in IMAGE_SUFFIXES)


def _field(folder: Path, job: _Job, socket: str | None, suffixes: tuple[str, ...]) -> Path:
    listed = folder / PREDICTIONS
    outputs = [value.socket for value in job.outputs if socket in {None, value.socket.slug}]
    if len(outputs) != 1:
        known = ", ".join(value.socket.slug for value in job.outputs) or "none"
        raise SubmissionError(
            f"{listed}: job {job.pk}: its outputs are {known}; name that of the field by --socket"
        )
    relative = PurePosixPath(outputs[0].relative_path)
    place = PurePosixPath(job.pk, "output", relative)
    if place.is_absolute() or relative.is_absolute() or ".." in place.parts:
        raise SubmissionError(f"{listed}: job {job.pk}: {str(place)!r} leaves the folder of inputs")
    path = folder / place
    if path.is_dir():  # an image, in a file of the platform's naming
        inside = [one for one in sorted(path.iterdir()) if not one.name.startswith(".")]
        path = inside[0] if len(inside) == 1 else path
    if not path.name.endswith(suffixes):
        raise SubmissionError(
            f"{path}: a field must be one file of {', '.join(suffixes)}; let the algorithm write "
            "one file per socket"
        )
    return path


def _name_of(job: _Job, rule: FieldRule, pairs: list[Pair], listed: Path, path: Path) -> str:
    found = list(dict.fromkeys(_pairs_of(job, pairs)))
    if len(found) != 1:
        expected = field_name(rule, (found or pairs)[0])
        raise SubmissionError(
            f"{listed}: job {job.pk}: {path.name} is the field of {len(found)} pairs by the names "
            f"of its input images; name the file as the scorer would, {expected} for instance"
        )
    return field_name(rule, found[0])


def _pairs_of(job: _Job, pairs: list[Pair]) -> Iterator[Pair]:
    """Pairs whose two images are inputs of the job, in these roles where the slugs tell them."""
    images = [(value.socket.slug, value.image.name) for value in job.inputs if value.image]
    for pair in pairs:
        roles = {"fixed": pair.fixed.stem, "moving": pair.moving.stem}
        if all(_given(images, role, stem) for role, stem in roles.items()):
            yield pair


def _given(images: list[tuple[str, str]], role: str, stem: str) -> bool:
    roles = [(slug, name) for slug, name in images if role in slug] or images
    return any(_stem(name) == stem for _, name in roles)


def _stem(name: str) -> str:
    return PurePosixPath(strip_suffix(name)).name


def _uploaded(folder: Path) -> Submission:
    """The unpacked submission, or the one zip that lies there instead."""
    zips = [path for path in sorted(folder.glob("*.zip")) if not path.name.startswith(".")]
    if len(zips) == 1 and not any(folder.glob("disp_*")):
        return open_submission(zips[0])
    return open_submission(folder)


def _with_dataset(reference: Reference) -> Reference:
    """With the pair list of the ground truth's folder, where none is given."""
    if reference.dataset is not None or reference.configs:
        return reference
    named = sorted(reference.folder.glob("*_dataset.json"))
    found = [path for path in named if not path.name.startswith(".")]  # macOS leaves ._*
    if len(found) != 1:
        raise DatasetError(
            f"{reference.folder}: {len(found)} files *_dataset.json; name the list by --dataset"
        )
    return replace(reference, dataset=found[0])
