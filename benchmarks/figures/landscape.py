"""Draws tables of `python -m pipeline landscape`, side by side, each from its lowest place up.

python -m benchmarks.figures.landscape unsupervised.csv guided.csv picture.png
"""

import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

mpl.use("Agg")
LEVELS = 25
INK = "#222222"


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Steps along a direction, and the total loss at `[a, b]`; NaN where it was not finite."""
    rows = np.loadtxt(path, delimiter=",", skiprows=1)
    steps = np.unique(rows[:, 0])
    total = rows[:, 2:].sum(axis=1).reshape(len(steps), len(steps))
    return steps, np.where(np.isfinite(total), total, np.nan)


def draw(axes: Axes, steps: np.ndarray, total: np.ndarray, levels: np.ndarray) -> object:
    """Contours, with the weights in the middle."""
    filled = axes.contourf(steps, steps, total.T, levels, cmap="viridis", extend="max")
    axes.contour(steps, steps, total.T, levels, colors="white", linewidths=0.4, alpha=0.5)
    axes.plot(0, 0, marker="+", color="white", markersize=9)
    axes.set(aspect="equal", xlabel="along the first direction", ylabel="along the second")
    return filled


def main(tables: list[Path], picture: Path) -> None:
    """One panel per table."""
    read_ones = [read(path) for path in tables]
    above = np.concatenate([(total - np.nanmin(total)).ravel() for _, total in read_ones])
    levels = np.linspace(0, np.nanquantile(above, 0.95), LEVELS)
    size = (4.2 * len(tables) + 1, 4.2)
    figure, panels = plt.subplots(1, len(tables), figsize=size, layout="constrained", squeeze=False)
    for axes, path, (steps, total) in zip(panels[0], tables, read_ones, strict=True):
        middle, lowest = total[len(steps) // 2, len(steps) // 2], np.nanmin(total)
        filled = draw(axes, steps, total - lowest, levels)
        title = f"{path.stem}\n{middle:.4f} in the middle, {lowest:.4f} at the lowest"
        axes.set_title(title, fontsize=9, color=INK)
    figure.colorbar(
        filled, ax=panels, label="loss above the lowest", ticks=levels[::4], format="%.1e"
    )
    figure.savefig(picture, dpi=100)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(
            "usage: python -m benchmarks.figures.landscape TABLE.csv [TABLE.csv ...] PICTURE.png"
        )
    main([Path(word) for word in sys.argv[1:-1]], Path(sys.argv[-1]))
