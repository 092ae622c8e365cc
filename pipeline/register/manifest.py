"""The record of a run in the folder of its fields: what made them, and how each pair went."""

import hashlib
import json
import logging
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import Field

from l2r.disk import sha256
from l2r.errors import L2RError, OutputError
from l2r.schema import Frozen, parse, read_json

logger = logging.getLogger(__name__)

PairStatus: TypeAlias = Literal["done", "unimproved", "fallback", "failed"]
"""`unimproved`: nothing made the field better, no step of the refinements, or without them an
untrained network; `fallback`: the field is zero, because of an error; `failed`: no field could be
written."""


class RunSettings(Frozen):
    """Everything but the images that decides a field."""

    task: dict[str, object]
    config: dict[str, object]
    weights_sha256: str | None
    segmentation_sha256: str | None = None
    """Of the segmentation's weights, where the run file names one."""
    device: str
    """What computes: the processor's kind and number of threads, or the GPU's name."""
    versions: dict[str, str]
    commit: str | None
    """Of Regatta's repository, with `+` where files were changed since; None outside of one."""
    time_budget_s: float | None
    overrides: tuple[str, ...] = ()
    """Values of the command line, `key=value`, which `config` has in it."""

    @property
    def sha256(self) -> str:
        """One hash for all settings; equal settings have equal hashes."""
        text = json.dumps(self.model_dump(mode="json", exclude={"overrides"}), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


class LevelRecord(Frozen):
    """Steps and losses of one level of a refinement."""

    steps: int
    skipped: int
    """Steps that were not taken because a loss or a gradient was NaN or infinite."""
    stopped: str
    """`steps`, `converged`, `deadline` or `diverged`."""
    best_step: int | None = None
    losses_at_start: dict[str, float] = Field(default_factory=dict)
    losses_at_best: dict[str, float] = Field(default_factory=dict)
    losses: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    """Curve of each loss: its value at every iterate, from the start on."""
    seconds: float | None = None
    """Wall time of the level."""
    cosines: tuple[float, ...] = ()
    """The smallest cosine between the gradients of two losses at every step, where measured."""
    conflict_rate: float | None = None
    """Share of the steps at which two losses pulled against each other, where that was measured."""
    mean_cosine: float | None = None


class RefinementRecord(Frozen):
    """Levels of one refinement of a pair, and whether it gained."""

    levels: tuple[LevelRecord, ...]
    improved: bool
    """Whether any step made the field better."""


class AffineRecord(Frozen):
    """The affine map before the network."""

    matrix: tuple[tuple[float, ...], ...]
    """RAS millimetres of the fixed image to those of the moving one, by rows."""
    quality: float
    quality_before: float


class DiceRecord(Frozen):
    """Dice as a segmentation of both images estimates it, without label maps."""

    dice: float
    before: float
    structures: dict[str, float]
    """By FreeSurfer's label."""
    suspect: str | None
    """Why the registration has probably failed."""


class PairRecord(Frozen):
    """Outcome, inputs and times of one pair."""

    status: PairStatus
    fixed: str
    moving: str
    inputs_sha256: str | None
    """Of both images; None where one cannot be read."""
    field_sha256: str | None
    error: str | None = None
    warnings: tuple[str, ...] = ()
    affine: AffineRecord | None = None
    refinements: tuple[RefinementRecord, ...] = ()
    estimate: DiceRecord | None = None
    """None where the run file names no segmentation."""
    over_budget: bool = False
    """Whether writing ended later than the time budget allows."""
    seconds: dict[str, float]
    """Per stage; reading and writing run during the computation of other pairs."""


class Manifest(Frozen):
    """The whole record."""

    regatta: str
    settings: RunSettings
    pairs: dict[str, PairRecord]
    """By the name of the field's file."""
    peak_memory_gib: dict[str, float]
    """Of the process that used most, on the host and on the device."""


def read_manifest(path: Path) -> Manifest | None:
    """The manifest, or None with a warning where it is damaged."""
    try:
        return parse(Manifest, read_json(path, OutputError), str(path), OutputError)
    except L2RError as error:
        logger.warning("%s; it is ignored and written anew", error)
        return None


def hash_inputs(paths: list[Path]) -> str | None:
    """One hash for the content of some files, in this order; None if one cannot be read."""
    try:
        return hashlib.sha256("".join(sha256(path) for path in paths).encode()).hexdigest()
    except (OSError, UnicodeEncodeError):  # the latter of a locale that has not all letters
        return None
