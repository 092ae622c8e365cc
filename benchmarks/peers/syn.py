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

REQUIREMENTS = (
    *("antspyx==0.6.3", "numpy==2.3.5", "scipy==1.15.3", "pandas==3.1.1", "statsmodels==0.15.0"),
    *("scikit-learn==1.9.1", "joblib==1.6.0", "threadpoolctl==3.8.0", "patsy==1.0.3"),
    *("formulaic==1.2.2", "interface-meta==2.0.1", "wrapt==2.5.2", "narwhals==2.29.0"),
    *("packaging==26.4", "python-dateutil==4.0.0", "tzdata==2026.6", "webcolors==25.10.0"),
    *("requests==2.34.2", "urllib3==2.8.0", "idna==3.20", "certifi==2026.10.19.post1"),
    "charset-normalizer==3.5.3",
)
"""antspyx wants an older numpy and scipy than Regatta."""
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
