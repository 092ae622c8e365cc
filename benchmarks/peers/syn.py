"""ANTs SyN: symmetric and diffeomorphic, without its rigid and affine stages.

`syn` is ANTsPy's default, `syn_papers` the setting of the papers' tables: mean squares, and 160, 80
and 40 iterations. Local correlation (`syn_metric="CC"`, `antsRegistrationSyN[so]`) is left out: its
iterations at full resolution take far more than five minutes a pair on two cores.

Source:
    github.com/ANTsX/ANTsPy; IXI/Baseline_traditional_methods/SyN of TransMorph's repository, whose
    numbers on-the-fly guidance (arXiv:2308.15216) takes over.
"""

from collections.abc import Mapping
from functools import partial
from tempfile import TemporaryDirectory

from benchmarks.peers.base import Affine, Registered, Tool
from benchmarks.peers.itk import geometry, to_voxels
from l2r.arrays import Volume

REQUIREMENTS = ("antspyx==0.6.3", "numpy==2.2.6", "pandas==2.3.3", "pytz==2025.2")
"""antspyx wants an older numpy than Regatta."""
PAPERS = {"reg_iterations": (160, 80, 40), "syn_metric": "meansquares"}


def register(
    fixed: Volume, moving: Volume, affine: Affine, settings: Mapping[str, object]
) -> Registered:
    """By ANTsPy, which leaves its fields in files."""
    import ants  # noqa: PLC0415

    spacing_mm, origin, direction = geometry(affine)
    images = [ants.from_numpy(v, origin, spacing_mm, direction) for v in (fixed, moving)]
    with TemporaryDirectory() as folder:
        found = ants.registration(*images, "SyNOnly", outprefix=f"{folder}/", **settings)
        # The other transform is the affine one, here the identity.
        path = next(name for name in found["fwdtransforms"] if name.endswith("Warp.nii.gz"))
        vectors = to_voxels(ants.image_read(path).numpy(), affine)
    return Registered(vectors, found["warpedmovout"].numpy)


TOOL = Tool(REQUIREMENTS, "registration(fixed, moving, 'SyNOnly')", partial(register, settings={}))
"""Mutual information, 40, 20 and 0 iterations: nothing at full resolution."""
AS_IN_PAPERS = Tool(
    REQUIREMENTS,
    "registration(..., 'SyNOnly', reg_iterations=(160, 80, 40), syn_metric='meansquares')",
    partial(register, settings=PAPERS),
)
