"""Looks at one pair after the other: its page, its volumes, and what the index needs of it."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.inspection.field_look import Candidate, FieldLook, FieldReader, unusable
from eval.inspection.outcome import FieldOutcome, PairOutcome
from eval.inspection.pair_page import FieldPart, PairPage, render_pair
from eval.inspection.stills import StillPainter, StructureMaps
from eval.inspection.volumes import (
    ViewerVolume,
    intensities,
    jacobian_layer,
    structure_layer,
    volumes_script,
)
from eval.maps.pair_images import PairImages
from eval.truth import IMAGES
from l2r.disk import writing
from l2r.errors import ImageError
from l2r.formats.volumes import read_image
from l2r.name_rules import NAME_RULES
from l2r.pairs import Pair

_LIMITS_MM = (1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 80, 100)
"""Displacements that the strongest colour may stand for."""
_SHOWN_SHARE = 0.995
"""Part of the displacements that are not stronger than the strongest colour."""
_EVERY = 3
"""Voxels along each axis of which one decides on that colour."""


@dataclass(frozen=True)
class NumberedPair:
    """A pair with its place in the list."""

    pair: Pair
    number: int
    """From 1."""
    last: int
    """Number of the last pair."""


@dataclass(frozen=True)
class Inspector:
    """Makes the pages of pairs; every process has one."""

    reader: FieldReader
    candidates: tuple[Candidate, ...]
    folder: Path
    """Of the pages."""

    def __call__(self, item: NumberedPair) -> PairOutcome:
        """Inspect a pair and write its page and its volumes.

        Raises:
            OutputError: they cannot be written.
        """
        try:
            images = self._images(item.pair)
        except ImageError as error:
            fields = tuple(unusable(candidate.name, error) for candidate in self.candidates)
            outcome = self._outcome(item, fields=fields)
            self._write(
                page_name(item.number), render_pair(PairPage(outcome, item.number, item.last))
            )
            return outcome
        looks = [self.reader.look(each, item.pair, images) for each in self.candidates]
        outcome = self._outcome(item, tuple(look.outcome for look in looks))
        page = self._page(item, outcome, images, looks)
        self._write(page_name(item.number), render_pair(page))
        self._write(
            volumes_name(item.number), volumes_script(_layers(images, looks), images.affine)
        )
        return outcome

    def _images(self, pair: Pair) -> PairImages:
        fixed, moving = (
            read_image(self.reader.truth.path(scan, IMAGES)) for scan in (pair.fixed, pair.moving)
        )
        return PairImages(fixed, moving)

    def _outcome(self, item: NumberedPair, fields: tuple[FieldOutcome, ...]) -> PairOutcome:
        rule = NAME_RULES[self.reader.task.field.names]
        return PairOutcome(
            rule.case(item.pair), f"{self.folder.name}/{page_name(item.number)}", fields
        )

    def _page(
        self, item: NumberedPair, outcome: PairOutcome, images: PairImages, looks: list[FieldLook]
    ) -> PairPage:
        structures = next((look.structures for look in looks if look.structures), None)
        maps = None
        if structures is not None:
            fixed, moving = structures.fixed, structures.unregistered
            maps = StructureMaps(fixed[images.slab], moving[images.slab])
        painter = StillPainter(images, maps)
        limit = _limit_mm(images, looks)
        parts = []
        for look in looks:
            stills = []
            if look.maps is not None:
                warped = look.structures.warped[images.slab] if look.structures else None
                stills = painter.of_field(look.maps, limit, warped)
            parts.append(FieldPart(look.outcome, tuple(stills)))
        return PairPage(
            outcome,
            item.number,
            item.last,
            tuple(painter.of_pair()),
            tuple(parts),
            limit_mm=limit,
            extents_mm=painter.extents_mm,
            volumes=volumes_name(item.number),
        )

    def _write(self, name: str, text: str) -> None:
        with writing(self.folder / name) as file:
            file.write(text.encode())


def page_name(number: int) -> str:
    """The file of a pair's page."""
    return f"pair-{number:04}.html"


def volumes_name(number: int) -> str:
    """The file of a pair's volumes."""
    return f"pair-{number:04}.js"


def _limit_mm(images: PairImages, looks: list[FieldLook]) -> float:
    """The displacement of the strongest colour, the same for all submissions."""
    few = (slice(None, None, _EVERY),) * 3
    inside, most = images.inside[images.slab][few], 1.0
    for look in looks:
        if look.maps is not None and inside.any():
            steps = np.abs(look.maps.vectors[few][inside] * images.view.spacing_mm)
            most = max(most, float(np.quantile(steps, _SHOWN_SHARE)))
    return float(next((limit for limit in _LIMITS_MM if limit >= most), math.ceil(most)))


def _layers(images: PairImages, looks: list[FieldLook]) -> list[ViewerVolume]:
    """Layers of the viewer, the lowest first: the fixed image with all others over it."""
    layers = [intensities("fixed", images.fixed, 1.0), intensities("moving", images.moving, 0.0)]
    for look in looks:
        end = f", {look.outcome.submission}" if len(looks) > 1 else ""
        if look.maps is not None:
            layers.append(intensities(f"warped{end}", look.maps.warped, 0.0))
            layers.append(jacobian_layer(f"log Jacobian{end}", look.maps.determinants))
        if look.structures is not None:
            warped = look.structures.warped[images.slab]
            layers.append(structure_layer(f"warped labels{end}", warped))
    structures = next((look.structures for look in looks if look.structures), None)
    if structures is not None:
        layers.append(structure_layer("fixed labels", structures.fixed[images.slab]))
    return layers
