"""The pictures of the documentation, made from the sample brains.

make demo && .venv/bin/python -m benchmarks.figures.sample
"""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from scipy.ndimage import map_coordinates

from l2r.formats.fields import read_field
from l2r.formats.volumes import read_image, read_labels

mpl.use("Agg")
ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
FIXED, MOVING = "SAMPLE_0001_0000.nii.gz", "SAMPLE_0003_0000.nii.gz"
FIELD = ROOT / "output" / "fields" / "disp_0001_0003.nii.gz"
CORONAL = 110
DIFFERENCE = {"cmap": "RdBu", "vmin": -0.6, "vmax": 0.6}


def slice_of(volume: np.ndarray) -> np.ndarray:
    """One coronal slice, head up, cropped to the brain."""
    return np.rot90(volume[:, CORONAL])[28:, :]


def warped(volume: np.ndarray, field: np.ndarray, order: int) -> np.ndarray:
    """`volume(p + u(p))`, as the scorer does it."""
    places = np.indices(volume.shape) + np.moveaxis(field, -1, 0)
    return map_coordinates(volume, places, order=order)


def panel(axes: Axes, image: np.ndarray, title: str, **look: object) -> None:
    """One titled image without ticks."""
    axes.imshow(image, **({"cmap": "gray"} | look))
    axes.set_title(title, fontsize=11, color="#222222")
    axes.axis("off")


def brains() -> tuple[np.ndarray, np.ndarray]:
    """Fixed and moving brain of the sample, both as bright."""
    fixed, moving = (read_image(ROOT / "sample/imagesVal" / n).array for n in (FIXED, MOVING))
    return fixed / np.quantile(fixed, 0.999), moving / np.quantile(moving, 0.999)


def registered_pair() -> None:
    """Draw a pair of the sample before and after the main job."""
    fixed, moving = brains()
    maps = [read_labels(ROOT / "sample/labelsVal" / name) for name in (FIXED, MOVING)]
    field = read_field(FIELD)
    after = warped(moving, field, 1)
    figure, rows = plt.subplots(2, 3, figsize=(10.2, 7.4), layout="constrained")
    panel(rows[0, 0], slice_of(fixed), "fixed")
    panel(rows[0, 1], slice_of(moving), "moving")
    panel(rows[0, 2], slice_of(after), "moving, warped by Regatta")
    panel(rows[1, 0], slice_of(fixed - moving), "difference before", **DIFFERENCE)
    panel(rows[1, 1], slice_of(fixed - after), "difference after", **DIFFERENCE)
    panel(rows[1, 2], slice_of(fixed), "fixed white, before red, after green")
    outlines = [(maps[0], "white"), (maps[1], "#ff5050"), (warped(maps[1], field, 0), "#40d060")]
    for labels, colour in outlines:
        for ids in ((4, 43), (10, 49), (11, 50), (12, 51), (17, 53)):
            rows[1, 2].contour(slice_of(np.isin(labels, ids)), [0.5], colors=colour, linewidths=0.9)
    figure.savefig(IMAGES / "registered-pair.png", dpi=75)


def convention() -> None:
    """Draw the direction of a displacement."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 5), layout="constrained")
    point, step = np.array([2.0, 3.0]), np.array([2.5, -1.0])
    for axes, title in ((left, "fixed grid: u lives here"), (right, "moving grid: sampled here")):
        axes.set(xlim=(-0.7, 6.7), ylim=(-0.7, 5.7), aspect="equal")
        axes.set_title(title, fontsize=11, pad=10)
        axes.set_xlabel("array axis 0, component u[..., 0]")
        axes.set_ylabel("array axis 1, component u[..., 1]")
        x, y = np.meshgrid(range(7), range(6))
        axes.scatter(x, y, s=16, color="#b0b0b0")
        axes.spines[["top", "right"]].set_visible(False)
    left.scatter(*point, s=60, color="#1f77b4")
    left.annotate("p = (2, 3)", point, (0.4, 3.5), fontsize=11)
    right.scatter(*point, s=60, facecolors="none", edgecolors="#1f77b4")
    right.annotate("", point + step, point, arrowprops={"arrowstyle": "->", "color": "#d62728"})
    right.annotate("u(p) = (2.5, -1)", point + step / 2, (3.0, 3.1), color="#d62728", fontsize=11)
    right.scatter(*(point + step), s=60, color="#d62728")
    right.annotate("p + u(p) = (4.5, 2)", point + step, (3.6, 1.2), fontsize=11)
    figure.suptitle("warped(p) = moving(p + u(p)), in voxels", fontsize=13)
    figure.savefig(IMAGES / "convention.png", dpi=80)


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    registered_pair()
    convention()
