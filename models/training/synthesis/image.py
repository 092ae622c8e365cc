"""From a label map and a deformation to an image."""

import math

import torch
from jaxtyping import Integer
from torch import Tensor
from torch.nn.functional import interpolate

from l2r.arrays import Shape, triple
from models.spatial.affine import sampled
from models.spatial.blocks import block_means
from models.training.synthesis.config import Appearance
from models.training.synthesis.smooth import (
    Square,
    along_axes,
    gaussian,
    smooth_noise,
    thick_slices,
)
from models.training.synthesis.tissue import OUTER_FLUID, random_tables
from models.types import Fields, Volumes

LabelMap = Integer[Tensor, "1 1 _ _ _"]

_BIAS_WIDTH, _BIAS_COARSER = 50.0, 8
"""Of a bias field, in voxels of the label map: how smooth it is, and the grid it is drawn on."""
_BORDER_WIDTH, _BORDER_MOST = 3.0, 0.4
"""Of outer fluid as much is kept as lies where tissue, blurred by so many voxels, is denser than a
random number up to this one."""


class ImageSynthesizer:
    """Draws one image; all that is random in it follows from one number."""

    def __init__(self, appearance: Appearance, shrink: int, seed: int) -> None:
        """`shrink`: voxels of the label map that one of the image is long."""
        self._appearance, self._shrink, self._seed = appearance, shrink, seed
        self._random = torch.Generator().manual_seed(seed)

    def __call__(self, labels: LabelMap, field: Fields) -> tuple[Volumes, LabelMap]:
        """The image of the deformed label map, in [0, 1], and that map.

        Args:
            labels: on its full grid.
            field: the deformation, on the grid of the image.
        """
        appearance = self._appearance
        tables = random_tables(int(labels.max()) + 1, appearance, self._random)
        means, deviations = (table.to(field) for table in tables)
        level = means.max()
        moved = sampled(labels.to(field.dtype), field, "nearest").int()
        image = sampled(block_means(means[labels], self._shrink), field)
        noise = torch.Generator(field.device).manual_seed(self._seed)  # a number per voxel
        image += deviations[moved] * _normal(image, noise)
        image = along_axes(image, self._optics(triple(image.shape[2:]))) * self._bias(image)
        image += level * self._upto(appearance.noise) * _normal(image, noise)
        return (self._with_gamma(image, level) * self._foreground(moved)).clamp(0, 1), moved

    def _optics(self, shape: Shape) -> list[Square]:
        """Blur, and thick slices along one axis."""
        appearance, blur = self._appearance, self._upto(self._appearance.blur) / self._shrink
        matrices = [gaussian(size, blur) for size in shape]
        thick, axis = self._upto(1.0) < appearance.thick_share, int(self._upto(3.0))
        thickness = (1 + self._upto(appearance.thick - 1)) / self._shrink
        if thick and thickness > 1:
            matrices[axis] = thick_slices(shape[axis], thickness) @ matrices[axis]
        return matrices

    def _bias(self, image: Volumes) -> Volumes:
        shape = triple(image.shape[2:])
        full = [size * self._shrink for size in shape]
        coarse = triple([max(2, size // _BIAS_COARSER) for size in full])
        widths = [_BIAS_WIDTH * few / size for few, size in zip(coarse, full, strict=True)]
        noise = smooth_noise((1, *coarse), widths, self._random).to(image)
        return (
            self._upto(self._appearance.bias) * interpolate(noise[None], shape, mode="trilinear")
        ).exp()

    def _with_gamma(self, image: Volumes, level: Tensor) -> Volumes:
        """By a gamma curve that keeps zero and the level where they are."""
        exponent = math.exp(self._appearance.gamma * (2 * self._upto(1.0) - 1))
        return level * (image.clamp(min=0) / level) ** exponent

    def _foreground(self, labels: LabelMap) -> Integer[Tensor, "1 1 _ _ _"]:
        """One where the skull-stripped image is not zero."""
        tissue = (labels > 0) & (labels != OUTER_FLUID)
        matrices = [gaussian(size, _BORDER_WIDTH / self._shrink) for size in labels.shape[2:]]
        near = along_axes(tissue.float(), matrices) > self._upto(_BORDER_MOST)
        return (tissue | (near & (labels > 0))).long()

    def _upto(self, most: float) -> float:
        return most * float(torch.rand((), generator=self._random))


def _normal(image: Volumes, random: torch.Generator) -> Volumes:
    return torch.randn(image.shape, generator=random, device=image.device)
