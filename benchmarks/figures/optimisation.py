"""The picture of docs/instance-optimisation.md, from a pair of the sample brains.

python -m benchmarks.figures.optimisation
"""

from itertools import accumulate

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from benchmarks.figures.sample import FIXED, IMAGES, MOVING, ROOT, panel, slice_of
from l2r.formats.volumes import read_image
from l2r.task import load_task
from models.descent.objective import ImagePair, Refined
from models.optim.combine import PCGrad, ProjectOne, SumGradients
from pipeline.register.config import load_run

(SUM,) = load_run(ROOT / "configs/compared/sum.toml").refine
COMBINATIONS = {
    "plain sum": (SumGradients(), "#1f77b4"),
    "one projected": (ProjectOne(), "#d62728"),
    "full PCGrad": (PCGrad(), "#2ca02c"),
}
FREE = tuple(part for part in SUM.regularisers if part.term.name != "folding")
RED = np.array([0.9, 0.1, 0.1])


def volume(name: str) -> Tensor:
    """A sample brain as the default preprocesses it."""
    array = read_image(ROOT / "sample/imagesVal" / name).array
    return torch.from_numpy(load_task("aseg").preprocess.normalise(array).volume)[None, None]


def refined(case: ImagePair, **changed: object) -> Refined:
    """By the levels of the plain sum, with changes."""
    zero = torch.zeros(1, 3, *case.fixed.shape[2:])
    return SUM.model_copy(update=changed).build()(case, zero)


def curves(left: Axes, right: Axes, runs: dict[str, Refined]) -> None:
    """Similarity per iterate, and how far the gradients agree."""
    for name, run in runs.items():
        colour = COMBINATIONS[name][1]
        similarity = [step["similarity"] for level in run.history for step in level.losses]
        left.plot(similarity, color=colour, linewidth=1.2, label=name)
        cosines = [[min(step.values()) for step in level.cosines] for level in run.history]
        if any(cosines):
            rate = np.mean(np.concatenate(cosines) < 0)
            ended = np.concatenate([[*level, np.nan] for level in cosines])
            right.plot(ended, color=colour, linewidth=1.2, label=f"{name}: {rate:.0%} conflict")
    ends = accumulate(len(descent.losses) for descent in next(iter(runs.values())).history)
    for end in list(ends)[:-1]:
        for axes in (left, right):
            axes.axvline(end - 0.5, color="#bbbbbb", linewidth=0.8, linestyle=":")
    left.set(title="similarity (lower is better), three levels", xlabel="iterate")
    right.set(title="cosine of similarity and diffusion", xlabel="step", ylim=(-1, 0.3))
    right.axhline(0, color="#888888", linewidth=0.8)
    left.legend(frameon=False)
    right.legend(frameon=False, loc="upper right")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)


def folded(field: Tensor) -> np.ndarray:
    """Find folds, where `p + u(p)` turns space inside out, by central differences."""
    vectors = field[0].numpy()
    slopes = np.stack([np.stack(np.gradient(part)) for part in vectors])
    jacobian = np.moveaxis(slopes, (0, 1), (-2, -1)) + np.eye(3)
    return np.linalg.det(jacobian) <= 0


def overlay(axes: Axes, fixed: np.ndarray, field: Tensor, title: str) -> None:
    """The thickest pile of folds along the line of sight, on one slice."""
    folds = folded(field)
    image = np.repeat(slice_of(fixed)[..., None], 3, axis=-1) * 0.8
    image[np.rot90(folds.any(axis=1))[28:]] = RED
    panel(axes, image.clip(0, 1), f"{title}: {int(folds.sum())} voxels folded")


def main() -> None:
    """Three combinations of gradients, and the plain sum without its penalty on folds."""
    case = ImagePair(volume(FIXED), volume(MOVING))
    runs = {name: refined(case, combine=part) for name, (part, _) in COMBINATIONS.items()}
    free = refined(case, regularisers=FREE)
    figure, rows = plt.subplots(2, 2, figsize=(10, 8.2), layout="constrained")
    curves(*rows[0], runs)
    fixed = case.fixed[0, 0].numpy()
    fixed = fixed / np.quantile(fixed, 0.999)
    overlay(rows[1, 0], fixed, free.field, "without the penalty")
    overlay(rows[1, 1], fixed, runs["plain sum"].field, "with the penalty on folds")
    figure.savefig(IMAGES / "instance-optimisation.png", dpi=80)


if __name__ == "__main__":
    main()
