"""The diagram of docs/conventions.md: python -m benchmarks.figures.convention."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

mpl.use("Agg")
IMAGES = Path(__file__).parents[2] / "docs" / "images"


def main() -> None:
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
    main()
