"""The record of a run, beside its fields: what made them, and how it went.

It is written anew, atomically, after every pair, so that a run that was killed can go on: a field
counts as made only if the manifest says so, for the same settings and inputs, and its content has
the hash that the manifest holds.

The shards of an array job write into one folder at the same time, so each has a manifest of its
own. Every run believes all of them, and the last one to finish puts them into one.
"""

import hashlib
import json
import logging
import platform
import subprocess
from collections.abc import Collection
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from l2r import __version__
from l2r.disk import sha256, writing
from l2r.errors import L2RError, OutputError
from l2r.schema import Frozen, parse, read_json
from l2r.submission import MANIFEST, SHARD_MANIFESTS

ROOT = Path(__file__).parents[2]
PACKAGES = ("torch", "numpy", "scipy", "nibabel", "isal")

logger = logging.getLogger(__name__)


class Settings(Frozen):
    """Everything beside the images that decides a field."""

    task: dict[str, object]
    config: dict[str, object]
    weights_sha256: str | None
    device: str
    """What computes: the processor's kind and number of threads, or the GPU's name."""
    versions: dict[str, str]
    commit: str | None
    """Of Regatta's repository, with `+` where files were changed since; None outside of one."""
    time_budget_s: float | None


class Entry(Frozen):
    """How one pair went."""

    status: Literal["done", "fallback", "failed"]
    """`fallback`: the field is zero, because of `error`; `failed`: there is no field at all."""
    fixed: str
    moving: str
    inputs_sha256: str | None
    """Of both images; None where one cannot be read."""
    field_sha256: str | None
    error: str | None = None
    warnings: tuple[str, ...] = ()
    refinements: tuple[dict[str, object], ...] = ()
    over_budget: bool = False
    """Whether writing ended later than the time budget allows."""
    seconds: dict[str, float]
    """Per stage; reading and writing run beside the computation of other pairs."""


class Manifest(Frozen):
    """The whole record."""

    regatta: str
    settings: Settings
    pairs: dict[str, Entry]
    """By the name of the field's file."""
    peak_memory_gib: dict[str, float]
    """Of the process so far, on the host and on the device."""


class Ledger:
    """The manifest of an output folder while a run goes on."""

    def __init__(self, folder: Path, settings: Settings, name: str = MANIFEST) -> None:
        """Take over what earlier runs with the same settings have recorded.

        Args:
            folder: of the fields.
            settings: of this run.
            name: of the file; a shard's holds nothing but its own pairs.
        """
        self._path = folder / name
        self._settings = settings
        self._known = _merged(_manifests(folder, settings))
        own = self._known if name == MANIFEST else _merged(_manifests(folder, settings, name))
        self._pairs = dict(own)

    def is_done(self, name: str, inputs_sha256: str | None) -> bool:
        """Whether the file of that name holds the field of these inputs and settings."""
        entry = self._known.get(name)
        if entry is None or entry.status != "done" or entry.inputs_sha256 != inputs_sha256:
            return False
        field = self._path.with_name(name)
        return field.is_file() and sha256(field) == entry.field_sha256

    def record(self, name: str, entry: Entry, peak_memory_gib: dict[str, float]) -> None:
        """Add or replace the entry of a pair, on the disk too.

        Raises:
            OutputError: the manifest cannot be written.
        """
        self._pairs[name] = entry
        _write(self._path, self._settings, self._pairs, peak_memory_gib)


def gather(folder: Path, settings: Settings, names: Collection[str]) -> None:
    """Put the manifests of shards into one, as soon as they speak of all fields.

    The shards' own are then removed; one that is still needed writes its own anew.

    Args:
        folder: of the fields.
        settings: of the shards; one that ran with others is not theirs.
        names: of all fields.

    Raises:
        OutputError: the manifest cannot be written.
    """
    shards = list(folder.glob(SHARD_MANIFESTS))
    manifests = _manifests(folder, settings)
    pairs = _merged(manifests)
    if not shards or not pairs.keys() >= set(names):
        return
    peaks: dict[str, float] = {}
    for where, size in (item for one in manifests for item in one.peak_memory_gib.items()):
        peaks[where] = max(size, peaks.get(where, 0.0))
    _write(folder / MANIFEST, settings, pairs, peaks)
    for path in shards:
        path.unlink(missing_ok=True)


def _write(
    path: Path, settings: Settings, pairs: dict[str, Entry], peak_memory_gib: dict[str, float]
) -> None:
    manifest = Manifest(
        regatta=__version__,
        settings=settings,
        pairs=dict(sorted(pairs.items())),
        peak_memory_gib=peak_memory_gib,
    )
    with writing(path) as file:
        file.write(manifest.model_dump_json(indent=2).encode())


def _manifests(folder: Path, settings: Settings, name: str | None = None) -> list[Manifest]:
    """Those in the folder with these settings, the latest last; or only the one of this name."""
    paths = [folder / name] if name else [folder / MANIFEST, *folder.glob(SHARD_MANIFESTS)]
    found: list[tuple[int, Manifest]] = []
    for path in paths:
        with suppress(FileNotFoundError):  # another shard has just put it into the whole
            written = path.stat().st_mtime_ns
            if (manifest := _read(path)) and _canonical(manifest.settings) == _canonical(settings):
                found.append((written, manifest))
    return [manifest for _, manifest in sorted(found, key=lambda item: item[0])]


def _read(path: Path) -> Manifest | None:
    try:
        return parse(Manifest, read_json(path, OutputError), str(path), OutputError)
    except L2RError as error:
        logger.warning("%s; it is ignored and written anew", error)
        return None


def _merged(manifests: list[Manifest]) -> dict[str, Entry]:
    return {name: entry for manifest in manifests for name, entry in manifest.pairs.items()}


def settings_of(
    task: Frozen, config: Frozen, *, weights: Path | None, device: str, budget: float | None
) -> Settings:
    """The settings of a run on this machine, with this code."""
    return Settings(
        task=task.model_dump(mode="json"),
        config=config.model_dump(mode="json"),
        weights_sha256=sha256(weights) if weights else None,
        device=device,
        versions={"python": platform.python_version()} | {p: version(p) for p in PACKAGES},
        commit=current_commit(),
        time_budget_s=budget,
    )


def hash_inputs(paths: list[Path]) -> str | None:
    """One hash for the content of some files, in this order; None if one cannot be read."""
    try:
        return hashlib.sha256("".join(sha256(path) for path in paths).encode()).hexdigest()
    except OSError:
        return None


def _canonical(settings: Settings) -> str:
    return json.dumps(settings.model_dump(mode="json"), sort_keys=True)


def current_commit() -> str | None:
    """Of this repository, with `+` where files were changed since; None outside of one."""
    if not (ROOT / ".git").exists():
        return None
    try:
        head, changes = (
            subprocess.run(  # noqa: S603
                ["git", "-C", str(ROOT), *words],  # noqa: S607
                capture_output=True,
                text=True,
                check=True,
                timeout=10,
            ).stdout.strip()
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "-uno"])
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return head + ("+" if changes else "")
