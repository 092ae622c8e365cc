"""Greedy: diffeomorphic, local correlation, compositions of smoothed gradient steps.

Source:
    github.com/pyushkevich/greedy
"""

from benchmarks.peers.base import Affine, Registered, Tool
from benchmarks.peers.itk import simple_image, to_voxels
from l2r.arrays import Volume

SETTINGS = "-m NCC 2x2x2 -n 100x50x10"


def register(fixed: Volume, moving: Volume, affine: Affine) -> Registered:
    """By its Python interface, with the words of its command line."""
    from picsl_greedy import Greedy3D  # noqa: PLC0415
    from SimpleITK import GetArrayFromImage  # noqa: PLC0415

    greedy = Greedy3D()
    greedy.execute(
        f"-i fixed moving -o warp {SETTINGS}",
        fixed=simple_image(fixed, affine),
        moving=simple_image(moving, affine),
        warp=None,
    )

    def warped() -> Volume:
        # Anew under another name: greedy has added its noise to the other one.
        greedy.execute(
            "-rf fixed -rm again warped -r warp", again=simple_image(moving, affine), warped=None
        )
        return GetArrayFromImage(greedy["warped"]).T

    field = GetArrayFromImage(greedy["warp"]).transpose(2, 1, 0, 3)  # it was (z, y, x, 3)
    return Registered(to_voxels(field, affine), warped)


REQUIREMENTS = ("picsl-greedy==1.4.0.3", "SimpleITK==2.5.7")
TOOL = Tool(REQUIREMENTS, SETTINGS, register)
