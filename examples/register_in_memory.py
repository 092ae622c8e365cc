"""Register two images in memory: python examples/register_in_memory.py FIXED MOVING WARPED."""

import sys

import nibabel as nib

from pipeline.register.registration import Registration


def main(fixed: str, moving: str, warped: str, config: str = "any_fast") -> None:
    """Write the moving image as it looks on the fixed one's grid."""
    registration = Registration.from_config(config, task="any")
    result = registration(nib.load(fixed), nib.load(moving))
    nib.save(result.warped, warped)


if __name__ == "__main__":
    main(*sys.argv[1:])
