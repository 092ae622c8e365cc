"""Settings of the training of a segmentation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from l2r.run_files import load_run_file
from l2r.schema import Frozen
from models.segmentation.network import SegmentationNetworkConfig
from models.training.synthesis.config import Appearance, Deformation, Share


class SegmentationTraining(Frozen):
    """One training: images are synthesised from label maps, some steps see real ones.

    A real image may have a label map. Where it has none the running mean of the network's weights
    is the teacher: from an image and its mirror image it finds the probabilities that the network
    is to find in the same image with other intensities.

    Source:
        Tarvainen and Valpola (2017), Mean teachers, arXiv:1703.01780.
    """

    seed: int = Field(default=0, ge=0)
    network: SegmentationNetworkConfig = SegmentationNetworkConfig()
    weights: Path | None = None
    """Weights to begin with, a file or a name in the registry; else those of a new network."""
    steps: PositiveInt = 3000
    learning_rate: PositiveFloat = 2e-3
    """Of Adam; rises over the first fifty steps and falls to zero along a cosine, until
    `calibrated_from`, and once more from there on."""
    clip_norm: PositiveFloat = 1.0
    ema: Annotated[float, Field(gt=0, lt=1)] = 0.99
    """Share of the running mean of the weights that a step keeps; the mean is exported."""
    precision: Literal["float32", "bfloat16"] = "float32"
    deformation: Deformation = Deformation()
    appearance: Appearance = Appearance()
    pool: PositiveInt = 60
    """Synthesised images that a step draws from, the latest ones."""
    reuse: PositiveInt = 3
    """Steps for each image that is synthesised anew."""
    real: Share = 0.0
    """Share of the steps that see a real image."""
    real_from: Annotated[int, Field(ge=0)] = 0
    """The first step that may; before it the teacher knows too little."""
    real_deformed: Share = 0.0
    """Share of the real images that are deformed as the synthesised ones are."""
    calibrated_from: PositiveInt | None = None
    """From this step on label maps and cross-entropy alone, at a quarter of the learning rate: soft
    Dice finds small structures, but makes them too large."""


def load_segmentation_training(path: Path, overrides: Sequence[str] = ()) -> SegmentationTraining:
    """Read a training file and what it extends.

    Args:
        path: the file.
        overrides: values that go before those of the file, see `l2r.overrides`.

    Raises:
        ConfigError: missing, not TOML, an unknown key or a wrong value.
    """
    return load_run_file(SegmentationTraining, path, overrides)
