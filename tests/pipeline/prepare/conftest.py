"""Heads made of the MNI152 brain, whose place and brain are known."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from l2r.formats.volumes import Image, write_volume
from l2r.transforms.base import AffineTransform
from l2r.transforms.grids import Grid
from l2r.transforms.resample import Resampling
from pipeline.prepare.brain import BrainExtraction, Mask
from pipeline.prepare.head import PrepareHead
from pipeline.prepare.record import HeadRecord, mask_of, write_record
from pipeline.prepare.template import template
from tests.models.affine.heads import moved

TRUE = moved(12, 15, (1.05, 0.95, 1.0))
"""From the template to the head."""
HEAD_GRID = Grid(
    (76, 92, 80), np.array([[-2.5, 0, 0, 100], [0, 2.5, 0, -130], [0, 0, 2.5, -90], [0, 0, 0, 1]])
)


@dataclass
class KnownBrain(BrainExtraction):
    """Finds the brain of painted heads by its brightness; the skull around is brighter."""

    def __call__(self, image: Image) -> Mask:
        return (image.array > 40) & (image.array < 900)


@pytest.fixture
def prepare_head() -> PrepareHead:
    return PrepareHead(KnownBrain())


def brain_in_head() -> np.ndarray:
    along = Resampling(HEAD_GRID, AffineTransform(np.linalg.inv(TRUE)))
    return along(template().array, template().affine)


@pytest.fixture
def head() -> Image:
    """A brain with a bias field within a bright skull, in an image that runs from left to right."""
    brain = brain_in_head()
    inside = binary_dilation(brain > 40, iterations=2)
    skull = binary_dilation(inside, iterations=4) & ~inside
    bias = np.linspace(0.8, 1.2, HEAD_GRID.shape[1], dtype=np.float32)[None, :, None]
    array = np.where(skull, 1500, brain * bias * (brain > 40) * 2)
    return Image(array.astype(np.float32), HEAD_GRID.affine)


def record_of(tmp_path: Path, name: str, matrix: np.ndarray) -> Path:
    """A head with its record and brain mask; the path that its prepared image would have."""
    source = tmp_path / f"raw_{name}.nii.gz"
    write_volume(source, brain_in_head(), HEAD_GRID.affine)
    record = HeadRecord(
        regatta="1",
        versions={},
        source=str(source),
        sources_sha256={},
        outputs_sha256={},
        matrix=tuple(map(tuple, matrix.tolist())),
        steps={},
    )
    write_record(tmp_path / f"{name}.json", record)
    prepared = tmp_path / f"{name}.nii.gz"
    brain = (brain_in_head() > 0).astype(np.uint8)
    write_volume(mask_of(prepared), brain, HEAD_GRID.affine)
    return prepared
