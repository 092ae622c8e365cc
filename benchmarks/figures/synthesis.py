"""The picture of synthetic pairs, from a folder of label maps (NOTICE.md says which).

.venv/bin/python -m benchmarks.figures.synthesis LABEL_MAPS
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import hsv_to_rgb

from l2r.dataset import scans_of_folder
from l2r.grid import GridRule
from l2r.task import load_task
from models.descent.objective import ImagePair
from models.training.cache import Cache
from models.training.sampling import PairPreprocessor
from models.training.synthesis.config import Appearance, Synthesis
from models.training.synthesis.pairs import SyntheticPairs

mpl.use("Agg")
IMAGES = Path(__file__).parents[2] / "docs" / "images"
CORONAL = 105
IDS = (2, 3, 4, 5, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 26, 28)
RIGHT = (41, 42, 43, 44, 46, 47, 49, 50, 51, 52, 53, 54, 58, 60)
COLUMNS = (
    ("one map", Synthesis(one_map=1.0), 1),
    ("two maps", Synthesis(one_map=0.0), 4),
    ("two maps", Synthesis(one_map=0.0), 7),
    ("random", Synthesis(one_map=0.0, appearance=Appearance(t1=0.0)), 2),
)
"""Of the picture: what is shown, how it is made, and which pair."""


def panel(axes: Axes, image: np.ndarray, title: str, **look: object) -> None:
    """One titled image without ticks."""
    axes.imshow(image, **({"cmap": "gray"} | look))
    axes.set_title(title, fontsize=11, color="#222222")
    axes.axis("off")


def pair(maps: Path, config: Synthesis, number: int, folder: Path) -> ImagePair:
    """A synthetic pair at full resolution, with its structures."""
    preprocessor = PairPreprocessor(
        load_task("aseg"), GridRule(), Cache(folder), labels=True, structures=IDS + RIGHT
    )
    source = SyntheticPairs(scans_of_folder(maps), preprocessor, config, seed=0)
    return source.read(0, number)(torch.device("cpu"))


def slice_of(volume: torch.Tensor) -> np.ndarray:
    """One coronal slice, head up, without its empty border."""
    return np.rot90(volume[:, CORONAL].numpy())[20:178]


def coloured(stack: torch.Tensor) -> np.ndarray:
    """Left and right alike in colour."""
    hues = (np.arange(len(IDS)) * 0.382) % 1  # neighbours in the list far apart
    colours = hsv_to_rgb(np.stack([hues, 0.65 + 0 * hues, 0.95 + 0 * hues], axis=-1))
    left = dict(zip(IDS, colours, strict=True))
    pairs = zip([label for label in IDS if label not in {14, 15, 16}], RIGHT, strict=True)
    known = left | {right: left[one] for one, right in pairs}
    image = sum(
        slice_of(channel)[..., None] * known[label]
        for label, channel in zip(IDS + RIGHT, stack, strict=True)
    )
    return np.asarray(image).clip(0, 1)


def main(maps: Path) -> None:
    """Draw all pairs."""
    figure, rows = plt.subplots(4, len(COLUMNS), figsize=(11, 12), layout="constrained")
    with TemporaryDirectory() as folder:
        for column, (title, config, number) in zip(rows.T, COLUMNS, strict=True):
            case = pair(maps, config, number, Path(folder))
            panels = iter(column)
            appearance = {"vmin": 0, "vmax": 0.5}
            panel(next(panels), slice_of(case.moving[0, 0]), f"{title}: moving", **appearance)
            panel(next(panels), slice_of(case.fixed[0, 0]), "fixed", **appearance)
            panel(next(panels), coloured(case.labels[1][0]), "structures, moving")
            panel(next(panels), coloured(case.labels[0][0]), "structures, fixed")
    figure.savefig(IMAGES / "synthesis.png", dpi=70)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
