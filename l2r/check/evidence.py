"""The convention that a list of fields follows, as far as the images show it.

Every pair has the agreement of its images under each reading of its field, region by region. A
convention is one for all pairs, so the list is judged as a whole: a reading is believed instead of
the scorers' own if the agreement that it gains over the zero field leaves the scorers' reading well
behind, by much more than regions differ by chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from l2r.check.readings import HALF, Reading, other_readings
from l2r.check.similarity import NONE, REGIONS, Regions, SampledPoints, Samples, take_samples
from l2r.formats.volumes import Image

CERTAIN = 5.0
"""Standard errors by which a contrast must differ from zero."""
SMALLEST_GAIN = 0.005
"""Of agreement; less is never believed."""
ALIKE = 0.03
"""Part of a gain by which readings differ that the images cannot tell apart."""
INSIDE = 0.5
"""Part of the foreground that a reading must leave within the moving image."""
WEAKER, STRONGER = 1.5, 3.0
"""Stretchings on both sides of `HALF`'s: a field that is merely too weak prefers one of them."""


@dataclass(frozen=True)
class Evidence:
    """One pair's agreement of the fixed and the warped image."""

    zero: Regions
    """Without any displacement."""
    own: Regions
    """The field as the scorers read it."""
    weaker: Regions
    stronger: Regions
    others: dict[str, Regions]
    """By the meaning of a reading."""
    readings: dict[str, Reading]
    inside: float
    """Part of the foreground that stays within the moving image, as the scorers read the field."""


@dataclass(frozen=True)
class Verdict:
    """Judgement on a list of fields."""

    kind: Literal["right", "other", "worse", "outside", "open"]
    """`right`: the scorers' reading aligns the images; `other`: another one does; `worse`: the
    images agree less than without the fields, and no reading explains it; `outside`: the fields
    lead out of the moving images, and no reading explains it; `open`: the images do not decide."""
    readings: tuple[Reading, ...] = ()
    """For `other`: the likeliest, and those that the images cannot tell from it."""


def weigh(fixed: Image, moving: Image, vectors: Float[np.ndarray, "_ _ _ 3"]) -> Evidence:
    """One pair's evidence for and against each reading of its field."""
    samples = take_samples(fixed.array, moving.array, vectors)
    own, readings = samples.stored, other_readings(fixed.shape, fixed.affine)
    known: dict[tuple[float, ...], Regions] = {}
    others = {}
    for reading in readings:
        if reading.key not in known:
            known[reading.key] = _agreement(samples, samples.displacement(reading))
        others[reading.meaning] = known[reading.key]
    return Evidence(
        zero=samples.agreement(np.zeros_like(own)),
        own=samples.agreement(own),
        weaker=_agreement(samples, WEAKER * own),
        stronger=_agreement(samples, STRONGER * own),
        others=others,
        readings={reading.meaning: reading for reading in readings},
        inside=samples.inside(own),
    )


def _agreement(samples: Samples, displacement: SampledPoints) -> Regions:
    if samples.inside(displacement) < INSIDE:
        return np.full(REGIONS**3, NONE)
    return samples.agreement(displacement)


def judge(evidences: Sequence[Evidence]) -> Verdict:
    """Decide which convention a list of fields follows; at least one pair."""
    pool = _Pool(evidences)
    believed = [meaning for meaning in pool.meanings if pool.believes(meaning)]
    if believed:
        gains = {meaning: pool.gain(pool.others(meaning)) for meaning in believed}
        best = max(gains.values())
        alike = {
            pool.numbers(meaning): evidences[0].readings[meaning]
            for meaning in reversed(believed)  # of those that are equal here, the first remains
            if gains[meaning] >= (1 - ALIKE) * best
        }
        return Verdict("other", tuple(reversed(alike.values())))
    if np.mean([evidence.inside for evidence in evidences]) < INSIDE:
        return Verdict("outside")
    change = pool.own - pool.zero
    if _certain(change):
        return Verdict("right")
    return Verdict("worse" if _certain(-change) else "open")


class _Pool:
    """Evidence of several pairs, every region of every pair on its own."""

    def __init__(self, evidences: Sequence[Evidence]) -> None:
        self._evidences = evidences
        self.meanings = [
            meaning
            for meaning in evidences[0].others
            if all(meaning in evidence.others for evidence in evidences)
        ]
        self.zero = np.concatenate([evidence.zero for evidence in evidences])
        self.own = np.concatenate([evidence.own for evidence in evidences])

    def others(self, meaning: str) -> Regions:
        return np.concatenate([evidence.others[meaning] for evidence in self._evidences])

    def numbers(self, meaning: str) -> tuple[tuple[float, ...], ...]:
        """Equal for readings that agree on the grids of all pairs."""
        return tuple(evidence.readings[meaning].key for evidence in self._evidences)

    def gain(self, agreement: Regions) -> float:
        return float(np.nanmean(agreement - self.zero))

    def believes(self, meaning: str) -> bool:
        """Tell if a reading leaves the scorers' one well behind."""
        agreement, share = self.others(meaning), self._evidences[0].readings[meaning].share
        contrast = share * (agreement - self.zero) - (self.own - self.zero)
        if self.gain(agreement) < SMALLEST_GAIN or not _certain(contrast):
            return False
        return meaning != HALF or self._neither_weaker_nor_stronger(agreement)

    def _neither_weaker_nor_stronger(self, agreement: Regions) -> bool:
        weaker = np.concatenate([evidence.weaker for evidence in self._evidences])
        stronger = np.concatenate([evidence.stronger for evidence in self._evidences])
        return bool(np.nanmean(agreement - weaker) > 0) and _certain(agreement - stronger)


def _certain(contrast: Regions) -> bool:
    """Positive by much more than its standard error."""
    known = contrast[np.isfinite(contrast)]
    if known.size < 2:
        return False
    return bool(known.mean() * np.sqrt(known.size) > CERTAIN * known.std(ddof=1))
