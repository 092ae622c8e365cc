"""The record of the run that made a submission, as far as pages and figures need it.

Manifests of older and newer versions are read alike: what one lacks has a default.
"""

import logging
from pathlib import Path

from pydantic import Field

from l2r.errors import ConfigError, L2RError
from l2r.schema import Tolerant, parse, read_json
from l2r.submission import MANIFEST

logger = logging.getLogger(__name__)


class RecordedSettings(Tolerant):
    """Everything but the images that decided the fields."""

    config: dict[str, object] = Field(default_factory=dict)
    """The run file with all its defaults."""
    weights_sha256: str | None = None
    device: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    commit: str | None = None
    time_budget_s: float | None = None


class RecordedLevel(Tolerant):
    """One level of a refinement."""

    losses: dict[str, list[float]] = Field(default_factory=dict)
    """Value of each loss at every iterate."""
    cosines: list[float] = Field(default_factory=list)
    """The smallest cosine between two gradients at every step, where it was measured."""


class RecordedRefinement(Tolerant):
    """Levels of one refinement."""

    levels: list[RecordedLevel] = Field(default_factory=list)


class RecordedEstimate(Tolerant):
    """Dice as a segmentation of both images estimates it, without label maps."""

    dice: float
    suspect: str | None = None
    """Why the registration has probably failed."""


class RecordedPair(Tolerant):
    """Outcome and times of one pair."""

    status: str = "done"
    error: str | None = None
    warnings: list[str] = Field(default_factory=list)
    refinements: list[RecordedRefinement] = Field(default_factory=list)
    estimate: RecordedEstimate | None = None
    over_budget: bool = False
    seconds: dict[str, float] = Field(default_factory=dict)


class RecordedRun(Tolerant):
    """A run's `manifest.json`."""

    regatta: str = ""
    """Version."""
    settings: RecordedSettings = RecordedSettings()
    pairs: dict[str, RecordedPair] = Field(default_factory=dict)
    """By the name of the field's file."""
    peak_memory_gib: dict[str, float] = Field(default_factory=dict)


def find_record(submission: Path) -> RecordedRun | None:
    """The record beside the fields of a folder; None with a warning where it cannot be read."""
    path = submission / MANIFEST
    if not path.is_file():
        return None
    try:
        return read_record(path)
    except L2RError as error:
        logger.warning("%s; the report goes without it", error)
        return None


def read_record(path: Path) -> RecordedRun:
    """The record in a file.

    Raises:
        ConfigError: it cannot be read, or is no manifest.
    """
    return parse(RecordedRun, read_json(path, ConfigError), str(path), ConfigError)
