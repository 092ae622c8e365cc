"""The run file: everything that decides an output; the command line adds where and how fast."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from l2r.run_files import load_run_file
from l2r.schema import Frozen
from models.descent.field import InstanceOptimisationConfig
from models.descent.weights import WeightOptimisationConfig
from models.networks.catalog import ModelConfig
from models.networks.identity import IdentityConfig
from pipeline.register.words import AffineMode

Refinement: TypeAlias = Annotated[
    InstanceOptimisationConfig | WeightOptimisationConfig, Field(discriminator="name")
]
"""Every refinement by name: this list is the registry."""


NetworkPrecision: TypeAlias = Literal["float32", "bfloat16"]


class SegmentationUse(Frozen):
    """A segmentation network, which finds soft labels in both images of every pair."""

    weights: Path
    """A file, or a name in the registry."""


class RunConfig(Frozen):
    """Network, refinements and grid that register each pair."""

    task: str | None = None
    """A file of `l2r/tasks/`, by name or by path, if this suits no other task; `--task` and what a
    challenge mounts go before it."""
    seed: int = Field(default=0, ge=0)
    """Of the random numbers of every refinement of every pair."""
    voxel_mm: PositiveFloat | None = None
    """Resample the images to voxels of this side, by their headers, for networks that were trained
    on it; fields come back on the fixed image's own grid. Without it voxels are taken as stored."""
    passes: tuple[PositiveInt, ...] = Field(default=(1,), min_length=1)
    """Of the network: each sees means over cubes of so many voxels a side, as its training file had
    it, and the moving image as the passes before it warp it. Refinements see every voxel."""
    mirror: Annotated[int, Field(ge=0, le=2)] | None = None
    """Array axis from left to right: the network also sees each pair mirrored, and the mean of both
    fields counts; takes twice the time."""
    precision: NetworkPrecision = "float32"
    """Of the network; bfloat16 halves its memory and is fast on GPUs since Ampere, and the last
    convolution of a field keeps single precision. Refinements always have single precision."""
    affine: AffineMode = "off"
    """Search for a rigid or an affine map before the network, in millimetres by the headers. It is
    composed with the field. `auto`: affine, and only where it shows the images more alike."""
    segmentation: SegmentationUse | None = None
    """For anatomy terms of the refinements, and for an estimate of each pair's Dice; without it
    there is neither."""
    model: ModelConfig = IdentityConfig()
    refine: tuple[Refinement, ...] = ()
    """One after the other, on the network's prediction."""

    @property
    def labels(self) -> bool:
        """True if a refinement compares label maps."""
        return any(part.label_weight is not None for part in self.refine)

    @model_validator(mode="before")
    @classmethod
    def _says_passes(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and "shrink" in raw:
            raise ValueError(f"shrink is called passes now: passes = [{raw['shrink']}]")
        return raw

    @model_validator(mode="after")
    def _fits_together(self) -> "RunConfig":
        anew = [part.predicts_anew for part in self.refine]
        if any(anew) and (self.passes != (1,) or self.mirror is not None):
            raise ValueError(
                "weight_optimisation predicts once, on the network's own grid; leave out passes "
                f"and mirror, or use voxel_mm = {self.passes[0]} for images of 1 mm"
            )
        if any(anew[1:]):
            raise ValueError(
                "weight_optimisation predicts anew and would lose what was refined before; "
                "make it the first refinement"
            )
        if self.segmentation is None and any(part.anatomy is not None for part in self.refine):
            raise ValueError(
                "a refinement has an anatomy term: say which network segments the images, "
                'segmentation = { weights = "t1_anatomy" }'
            )
        if self.labels and self.voxel_mm is not None:
            raise ValueError("label maps are not resampled; leave out label_weight or voxel_mm")
        return self


def load_run(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Read a run file and what it extends, and put values in their places.

    Raises:
        ConfigError: missing, not TOML, an unknown key or a wrong value.
    """
    return load_run_file(RunConfig, path, overrides)
