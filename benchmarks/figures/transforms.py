"""The picture of docs/transforms.md: python -m benchmarks.figures.transforms."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

mpl.use("Agg")
IMAGES = Path(__file__).parents[2] / "docs" / "images"
FIXED, MOVING, ARROW = "#1f5fa8", "#b4521e", "#222222"


def grid(axes: Axes, origin: tuple[float, float], degrees: float, side: float, colour: str) -> None:
    """Draw the voxels of a grid in physical space."""
    turn = np.deg2rad(degrees)
    along, across = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    for n in range(7):
        for one, other in ((along, across), (across, along)):
            ends = np.array([origin + side * (n * one), origin + side * (n * one + 6 * other)])
            axes.plot(*ends.T, color=colour, lw=0.7)


def arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], text: str, bend: float
) -> None:
    """Draw an arrow with its text in the middle."""
    look = {"arrowstyle": "-|>", "color": ARROW, "lw": 1.6, "mutation_scale": 16}
    axes.annotate("", end, start, arrowprops=look | {"connectionstyle": f"arc3,rad={bend}"})
    middle = (np.array(start) + end) / 2
    axes.text(middle[0] - 0.2, middle[1] - 2.0 * bend, text, ha="center", va="center", fontsize=10)


def main() -> None:
    """Draw both grids, and what goes along the transform."""
    figure, axes = plt.subplots(figsize=(9.6, 3.6), layout="constrained")
    grid(axes, (0, 0), 0, 0.6, FIXED)
    grid(axes, (10.4, -0.3), 17, 0.62, MOVING)
    start, end = (2.1, 2.1), (11.6, 2.4)
    axes.plot(*start, "o", color=FIXED)
    axes.plot(*end, "o", color=MOVING)
    arrow(axes, start, end, "T: points of the fixed image\ngo to the moving one", -0.3)
    arrow(
        axes,
        (10.2, 0.5),
        (3.9, 0.5),
        "warped(x) = moving(T(x)):\nthe image is fetched along T",
        -0.12,
    )
    axes.text(1.8, -0.6, "fixed image (reference), RAS mm", ha="center", color=FIXED)
    axes.text(12.2, -0.8, "moving image, RAS mm", ha="center", color=MOVING)
    axes.set_aspect("equal")
    axes.axis("off")
    figure.savefig(IMAGES / "transforms.png", dpi=90)


if __name__ == "__main__":
    main()
