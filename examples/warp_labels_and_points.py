"""Labels and points: python examples/warp_labels_and_points.py FIXED MOVING LABELS OUTPUT.

A transform leads from places of the fixed image to places of the moving one, in RAS millimetres.
Images are fetched along it; points go along it, and points of the moving image along the inverse.
"""

import sys

import nibabel as nib
import numpy as np

from pipeline.register.registration import Registration


def main(fixed: str, moving: str, labels: str, output: str, config: str = "any_fast") -> None:
    """Write the moving labels on the fixed grid, and print where the centre of an image goes."""
    result = Registration.from_config(config, task="any")(fixed, moving)
    nib.save(result.apply(labels, "generic-label"), output)

    grid = result.transform.grid
    centre_mm = grid.affine[:3] @ [*((np.array(grid.shape) - 1) / 2), 1]
    there_mm = result.transform(centre_mm[None])
    again_mm = result.inverse(there_mm)
    print(f"{centre_mm} of the fixed image is {there_mm[0]} of the moving one")
    print(f"the inverse leads to {again_mm[0]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
