"""Register arrays, one after the other, by one network: python examples/many_pairs.py FIXED ..."""

import sys
from collections.abc import Iterator

import nibabel as nib
import numpy as np

from pipeline.register.registration import Registration


def main(fixed: str, *moving: str, config: str = "any_fast") -> None:
    """Print the largest displacement of each pair, its seconds and its steps."""
    registration = Registration.from_config(config, task="any")  # loads the network, once
    (target,) = arrays((fixed,))
    for path, image in zip(moving, arrays(moving), strict=True):
        result = registration(target, image, spacing_mm=(1.0, 1.0, 1.0))
        farthest = np.linalg.norm(result.field, axis=-1).max()
        steps = [level.steps for part in result.refinements for level in part.levels]
        print(f"{path}: up to {farthest:.1f} voxels, {result.seconds}, steps {steps}")


def arrays(paths: tuple[str, ...]) -> Iterator[np.ndarray]:
    """The voxels of images, as any other program may have made them."""
    for path in paths:
        yield np.asarray(nib.load(path).dataobj)


if __name__ == "__main__":
    main(*sys.argv[1:])
