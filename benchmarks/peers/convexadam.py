"""ConvexAdam: a coupled convex search over MIND features, refined by Adam.

Source:
    github.com/multimodallearning/convexAdam
"""

import numpy as np

from benchmarks.peers.base import Affine, Registered, Tool
from l2r.arrays import Volume


def register(fixed: Volume, moving: Volume, affine: Affine) -> Registered:  # noqa: ARG001
    """With its defaults, on the GPU where there is one; its fields are in our convention."""
    from convexAdam.apply_convex import apply_convex  # noqa: PLC0415
    from convexAdam.convex_adam_MIND import convex_adam_pt  # noqa: PLC0415

    field = convex_adam_pt(fixed, moving)
    return Registered(field.astype(np.float32), lambda: apply_convex(field, moving))


REQUIREMENTS = ("convexAdam==0.2.0", "SimpleITK==2.5.7", "tqdm==4.67.1")
TOOL = Tool(REQUIREMENTS, "convex_adam_pt(fixed, moving)", register)
