"""Registration of images in memory, by the same stages as the command line.

Example:
    >>> registration = Registration.from_config("t1_default")  # doctest: +SKIP
    >>> result = registration(fixed, moving)  # doctest: +SKIP
    >>> nib.save(result.warped, "warped.nii.gz")  # doctest: +SKIP
"""

import time
from pathlib import Path, PurePosixPath

import torch

from l2r.arrays import Spacing
from l2r.errors import ConfigError
from l2r.formats.volumes import Image
from l2r.pairs import Pair, Scan
from l2r.prepare import Loaded
from l2r.task import Task, load_task
from l2r.transforms.base import TransformChain
from l2r.transforms.resample import Resampling
from pipeline.device import find_device
from pipeline.register.clock import Stopwatch
from pipeline.register.config import RunConfig, load_run
from pipeline.register.improvement import shortcomings
from pipeline.register.request import DEFAULT_TASK, find_run_file, task_named_in
from pipeline.register.result import RegistrationResult
from pipeline.register.sources import ImageSource, as_image
from pipeline.register.stages import build_stages, place

FIXED, MOVING = (
    Scan(PurePosixPath(f"{role}.nii.gz"), Path(f"the {role} image")) for role in ("fixed", "moving")
)
"""Names of images in memory, for messages."""


class Registration:
    """A run file's network and refinements, loaded once, for any number of pairs."""

    def __init__(
        self, config: RunConfig, task: Task, device: torch.device, *, by_headers: bool = True
    ) -> None:
        """Build the stages.

        Args:
            config: the run file.
            task: shape and intensities of the images.
            device: where networks and refinements compute.
            by_headers: images on different grids are brought together by their headers, for calls
                from Python; without it, voxels of the same index correspond before registration,
                as a challenge's scorer has it.

        Raises:
            WeightsError, ConfigError: as for `build_stages`.
        """
        self.stages = build_stages(config, task, device)
        self._by_headers = by_headers and config.affine == "off"

    @classmethod
    def from_config(
        cls,
        config: str | Path,
        *,
        task: str | None = None,
        device: str = "auto",
        by_headers: bool = True,
    ) -> "Registration":
        """Build the stages of a run file.

        Args:
            config: its path, or the name of one in `configs/`.
            task: name or path of a task; else the run file's, else `lumir24`.
            device: `auto`, `cpu`, `cuda` or `cuda:n`.
            by_headers: as above.

        Raises:
            L2RError: no such run file, task, device or weights.
        """
        path = find_run_file(Path(config))
        found = load_task(task or task_named_in(path) or DEFAULT_TASK)
        return cls(load_run(path), found, find_device(device), by_headers=by_headers)

    def __call__(
        self,
        fixed: ImageSource,
        moving: ImageSource,
        *,
        spacing_mm: Spacing = (1.0, 1.0, 1.0),
        time_budget_s: float | None = None,
    ) -> RegistrationResult:
        """Find the transform from the fixed to the moving image.

        Args:
            fixed: path, nibabel image, `Image` or array.
            moving: the same.
            spacing_mm: sides of a voxel of images that are given as arrays.
            time_budget_s: wall time, after which no refinement takes another step.

        Raises:
            ImageError: an image cannot be used.
            ConfigError: the run file needs label maps.
        """
        if self.stages.labels:
            raise ConfigError("label_weight needs label maps, and images in memory have none")
        watch, start = Stopwatch(), time.monotonic()
        with watch.measure("read"):
            images = as_image(fixed, "fixed", spacing_mm), as_image(moving, "moving", spacing_mm)
            together = self._together(*images)
            prepared = self.stages.prepare(Loaded(Pair(FIXED, MOVING), together))
        deadline = None if time_budget_s is None else start + time_budget_s
        with watch.measure("predict"):
            predicted = self.stages.predict(prepared, deadline)
        with watch.measure("refine"):
            predicted = self.stages.refine(predicted, deadline)
        return RegistrationResult(
            field=place(predicted),
            images=(images[0], images[1]),
            seen_affine=together[1].affine,
            refinements=predicted.refinements,
            estimate=predicted.estimate,
            warnings=(*prepared.warnings, *predicted.warnings, *shortcomings(predicted)),
            seconds=watch.seconds,
        )

    def _together(self, fixed: Image, moving: Image) -> tuple[Image, Image]:
        """Both images as the network sees them: on the fixed grid, where headers count."""
        if not self._by_headers or fixed.grid.is_like(moving.grid):
            return fixed, moving
        brought = Resampling(fixed.grid, TransformChain([]))(moving.array, moving.affine)
        return fixed, Image(brought, fixed.affine, moving.warnings)
