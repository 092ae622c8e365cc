"""Preparation of many heads into one folder, from which the same job can go on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import numpy as np

from l2r.console import Advance
from l2r.disk import sha256
from l2r.errors import ConfigError, ImageError, L2RError, OutputError
from l2r.formats.table import IMAGE_SUFFIXES, strip_suffix
from l2r.formats.transforms.base import PairGrids
from l2r.formats.transforms.itk_affine import ItkAffine
from l2r.formats.volumes import read_image, read_labels, write_volume
from l2r.transforms.base import AffineTransform
from l2r.transforms.resample import Resampling
from pipeline.prepare.head import PreparedHead, PrepareHead
from pipeline.prepare.record import (
    HeadRecord,
    mask_of,
    read_record,
    sidecar_of,
    software,
    write_record,
)
from pipeline.prepare.sheet import write_sheet
from pipeline.prepare.template import GRID

SHEET = "contact_sheet.png"


@dataclass(frozen=True)
class Head:
    """One image to prepare, and its label map."""

    image: Path
    labels: Path | None = None

    @property
    def name(self) -> str:
        """The file name without its suffix."""
        return strip_suffix(self.image.name)

    @property
    def sources(self) -> dict[str, Path]:
        """All files that decide the outputs, by what they are: names may be alike."""
        return {"image": self.image} | ({"labels": self.labels} if self.labels else {})


def heads_of(images: Sequence[Path], labels: Sequence[Path]) -> list[Head]:
    """Pair images with their label maps.

    Raises:
        ConfigError: numbers differ, or two images share a name.
    """
    if labels and len(labels) != len(images):
        raise ConfigError(
            f"{len(labels)} label maps for {len(images)} images; give one for each, in their order"
        )
    heads = [Head(image, one) for image, one in zip_longest(images, labels)]
    for name, count in Counter(head.name for head in heads).items():
        if count > 1:
            raise ConfigError(f"{name}: {count} images have this name; prepare them apart")
    return heads


@dataclass
class PrepareFolder:
    """Prepares heads into a folder."""

    folder: Path
    resume: bool = True
    prepare: PrepareHead = field(default_factory=PrepareHead)

    def __call__(self, heads: Sequence[Head], advance: Advance) -> Counter[str]:
        """Prepare every head; one that fails does not stop the others.

        Args:
            heads: images with their label maps.
            advance: called for each.

        Returns:
            Number of heads that are `prepared`, `skipped` and `failed`.

        Raises:
            OutputError: the folder cannot be written to.
            ConfigError: a package is missing.
        """
        counts: Counter[str] = Counter()
        for head in heads:
            state, news = self._state(head)
            counts[state] += 1
            advance(f"{head.image}: {news}")
        prepared = [self.path(head) for head in heads if sidecar_of(self.path(head)).is_file()]
        if prepared:
            write_sheet(self.folder / SHEET, prepared)
        return counts

    def path(self, head: Head) -> Path:
        """The prepared image."""
        return self.folder / f"{head.name}.nii.gz"

    def _state(self, head: Head) -> tuple[str, str]:
        try:
            if self.resume and self.is_done(head):
                return "skipped", "made before, skipped"
            record = self.one(head)
        except (OutputError, ConfigError):
            raise
        except L2RError as error:
            return "failed", f"FAILED: {str(error).removeprefix(f'{head.image}: ')}"
        return "prepared", "; ".join([f"{sum(record.seconds.values()):.1f} s", *record.warnings])

    def is_done(self, head: Head) -> bool:
        """Tell if the head was prepared before, from the same files by the same Regatta."""
        if not sidecar_of(self.path(head)).is_file():
            return False
        record = read_record(self.path(head))
        same = record.sources_sha256 == _hashes(head) and record.regatta == software()[0]
        return same and record.is_whole(self.folder)

    def one(self, head: Head) -> HeadRecord:
        """Prepare one head, and write its files, the record last.

        Raises:
            L2RError: it cannot be prepared, or not be written.
        """
        if not head.image.name.endswith(IMAGE_SUFFIXES):
            raise ImageError(f"{head.image}: must end in {', '.join(IMAGE_SUFFIXES)}")
        if self.path(head).resolve() == head.image.resolve():
            raise ConfigError(f"{head.image}: the output would replace it; give another folder")
        image = read_image(head.image)
        labels = None if head.labels is None else read_labels(head.labels)
        if labels is not None and labels.shape != image.shape:
            raise ImageError(
                f"{head.labels}: shape {labels.shape}, but its image has {image.shape}"
            )
        sidecar_of(self.path(head)).unlink(missing_ok=True)
        try:
            found = self.prepare(image)
        except ImageError as cause:
            raise ImageError(f"{head.image}: {cause}") from None
        outputs = self._write(head, found, image.affine)
        if labels is not None:
            along = Resampling(GRID, AffineTransform(found.matrix), "generic-label")
            outputs.append(self.folder / f"{head.name}_labels.nii.gz")
            write_volume(outputs[-1], along(labels, image.affine), GRID.affine)
        regatta, versions = software()
        record = HeadRecord(
            regatta=regatta,
            versions=versions,
            source=str(head.image.resolve()),
            sources_sha256=_hashes(head),
            outputs_sha256={path.name: sha256(path) for path in outputs},
            matrix=tuple(map(tuple, found.matrix.tolist())),
            steps=found.steps,
            warnings=found.warnings,
            seconds=found.seconds,
        )
        write_record(sidecar_of(self.path(head)), record)
        return record

    def _write(self, head: Head, found: PreparedHead, affine: np.ndarray) -> list[Path]:
        """The image, the brain's mask on the grid of the source, and the transform for ITK."""
        mask = mask_of(self.path(head))
        transform = self.folder / f"from-{head.name}_to-prepared_mode-image_xfm.mat"
        write_volume(self.path(head), found.volume, GRID.affine)
        write_volume(mask, found.brain.astype(np.uint8), affine)
        ItkAffine().write(transform, [AffineTransform(found.matrix)], PairGrids())
        return [self.path(head), mask, transform]


def _hashes(head: Head) -> dict[str, str]:
    try:
        return {role: sha256(path) for role, path in head.sources.items()}
    except OSError as cause:
        raise ImageError(f"{cause.filename}: {cause.strerror}") from None
