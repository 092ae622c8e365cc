"""Warped images, inverses and ITK's transforms of a run, in a folder beside its fields.

The folder of the fields stays as the scorer wants it. Names follow BIDS derivatives:

    <moving>_space-<fixed>.nii.gz                      warped image
    from-<moving>_to-<fixed>_mode-image_xfm.nii.gz     ITK's transform, fetches the moving image
    from-<fixed>_to-<moving>_mode-image_xfm.nii.gz     its inverse, fetches the fixed image
    from-<fixed>_to-<moving>_mode-image_desc-network_xfm.nii.gz     the network's own inverse
"""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from l2r.console import Advance
from l2r.disk import writing
from l2r.errors import ConfigError, L2RError, OutputError, TransformError
from l2r.formats.fields import read_field
from l2r.formats.table import format_of
from l2r.formats.transforms.base import PairGrids
from l2r.formats.transforms.itk_field import ItkField
from l2r.formats.volumes import read_grid
from l2r.pairs import Pair, Scan
from l2r.submission import as_vectors
from l2r.task import Task
from l2r.transforms.compose import as_displacement
from l2r.transforms.displacement import DisplacementTransform
from l2r.transforms.grids import Grid
from l2r.transforms.learn2reg import from_learn2reg
from l2r.transforms.resample import Resampling
from l2r.transforms.residual import round_trip
from pipeline.register.request import SaveRequest
from pipeline.register.stages import Stages

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SaveTransforms:
    """Makes files of the fields of a run."""

    task: Task
    wanted: SaveRequest
    fields: Path
    """Folder of the fields."""
    stages: Stages

    def __call__(self, pairs: Mapping[str, Pair], advance: Advance) -> None:
        """Save what is wanted of every pair; a pair that has no field is left out with a warning.

        Args:
            pairs: by the name of the field's file.
            advance: called for each pair.

        Raises:
            OutputError: the folder cannot be written to.
        """
        for name, pair in pairs.items():
            try:
                written = self._save(pair, self.fields / name)
            except OutputError:
                raise
            except L2RError as error:
                logger.warning("%s: nothing is saved of it: %s", name, error)
                written = []
            advance(f"{name}: {len(written)} files saved")

    def _save(self, pair: Pair, path: Path) -> list[Path]:
        forward, moving = self._transform(pair, path)
        fixed_label, moving_label = _label(pair.fixed), _label(pair.moving)
        written = []
        if "warped" in self.wanted.kinds:
            image = format_of(pair.moving.path).read(pair.moving.path, TransformError)
            warped = Resampling(forward.grid, forward)(image.array, image.affine)
            target = self.wanted.folder / f"{moving_label}_space-{fixed_label}.nii.gz"
            format_of(target).write(target, warped, forward.grid.affine)
            written.append(target)
        if "itk" in self.wanted.kinds:
            written.append(self._write(forward, moving_label, fixed_label, {}))
        if "inverse" in self.wanted.kinds:
            inverse = as_displacement(forward.inverse(), moving)
            facts = _residual(inverse, forward)
            written.append(self._write(inverse, fixed_label, moving_label, facts))
        if "network-inverse" in self.wanted.kinds:
            inverse = self._of_network(pair, forward, moving)
            facts = _residual(inverse, forward)
            written.append(self._write(inverse, fixed_label, moving_label, facts, "_desc-network"))
        return written

    def _of_network(
        self, pair: Pair, forward: DisplacementTransform, moving: Grid
    ) -> DisplacementTransform:
        """The inverse that the network itself predicts."""
        if self.stages.inverse is None:
            raise TransformError(f"{pair.name}: the network has no inverse")
        prepared = self.stages.prepare(pair)
        grid = replace(prepared.grid, shape=moving.shape, scaled=moving.shape)
        vectors = grid.place(self.stages.inverse(prepared))
        return from_learn2reg(vectors, moving.affine, forward.grid.affine)

    def _transform(self, pair: Pair, path: Path) -> tuple[DisplacementTransform, Grid]:
        """The transform of a field, and the grid of the moving image."""
        fixed, moving = (read_grid(scan.path) for scan in (pair.fixed, pair.moving))
        vectors = as_vectors(read_field(path), fixed.shape, self.task, str(path))
        if not vectors.any():
            raise TransformError(f"{path}: the field is zero everywhere")
        return from_learn2reg(vectors, fixed.affine, moving.affine), moving

    def _write(
        self,
        field: DisplacementTransform,
        start: str,
        end: str,
        facts: Mapping[str, object],
        description: str = "",
    ) -> Path:
        stem = f"from-{start}_to-{end}_mode-image{description}_xfm"
        target = self.wanted.folder / f"{stem}.nii.gz"
        ItkField().write(target, [field], PairGrids())
        if "json" in self.wanted.kinds:
            record = {
                "From": start,
                "To": end,
                "Mode": "image",
                "Type": "displacement field",
                "Units": "mm",
                "CoordinateSystem": "LPS",
                "Software": "Regatta",
                **facts,
            }
            with writing(self.wanted.folder / f"{stem}.json") as file:
                file.write((json.dumps(record, indent=2) + "\n").encode())
        return target


def check_saved(wanted: SaveRequest, stages: Stages, config: str) -> None:
    """Refuse to save what the stages do not have.

    Raises:
        ConfigError: the network's own inverse is wanted, and the field is not that of one pass of a
            network that has one.
    """
    if "network-inverse" in wanted.kinds and stages.inverse is None:
        raise ConfigError(
            f"--save network-inverse: {config}: the field is not that of one pass of a network "
            "that predicts an inverse, without refinement; `inverse` is found for every field"
        )


def _residual(
    inverse: DisplacementTransform, forward: DisplacementTransform
) -> dict[str, dict[str, float]]:
    found, _ = round_trip(inverse, forward, inverse.grid, forward.grid)
    return {"ResidualVoxels": {"Mean": found.mean, "P99": found.p99, "Max": found.most}}


def _label(scan: Scan) -> str:
    """A name as BIDS allows it in a label: letters, digits and plus signs."""
    return re.sub(r"[^0-9A-Za-z]+", "+", scan.name)
