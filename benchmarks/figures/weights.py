"""The picture of models/trained/t1_brain.md: how the weights were learned, and what they do.

python -m pipeline run --config configs/t1_network.toml --dataset sample/SAMPLE_dataset.json \
  --output output/network
make demo && .venv/bin/python -m benchmarks.figures.weights
"""

import json

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from benchmarks.figures.sample import (
    DIFFERENCE,
    FIELD,
    IMAGES,
    ROOT,
    brains,
    panel,
    slice_of,
    warped,
)
from l2r.formats.fields import read_field

LOG = ROOT / "models" / "trained" / "t1_brain.jsonl"
ALONE = ROOT / "output" / "network" / FIELD.name


def curves(axes: Axes) -> None:
    """Mean losses of each epoch."""
    epochs = [json.loads(line) for line in LOG.read_text().splitlines()]
    numbers = [epoch["epoch"] for epoch in epochs]
    for name, told, colour in (
        ("similarity", "local correlation", "#1f77b4"),
        ("labels", "Dice loss, zero for real pairs", "#d62728"),
    ):
        losses = [epoch["training"][name] for epoch in epochs]
        axes.plot(numbers, losses, color=colour, linewidth=1.4, label=told)
    axes.set(title="training, mean of an epoch", xlabel="epoch of a hundred pairs")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def main() -> None:
    """The curves, and a pair of the sample before and after."""
    fixed, moving = brains()
    figure, (left, *others) = plt.subplots(
        1, 4, figsize=(13.5, 3.9), layout="constrained", width_ratios=(1.25, 1, 1, 1)
    )
    curves(left)
    after = [warped(moving, read_field(path), 1) for path in (ALONE, FIELD)]
    titles = ("difference before", "network alone", "network and refinement")
    for axes, image, title in zip(others, (moving, *after), titles, strict=True):
        panel(axes, slice_of(fixed - image), title, **DIFFERENCE)
    figure.savefig(IMAGES / "default-weights.png", dpi=80)


if __name__ == "__main__":
    main()
