"""ANTs SyN: symmetric and diffeomorphic, without its rigid and affine stages.

Local correlation (`syn_metric="CC"`, `antsRegistrationSyN[so]`) is left out: its iterations at
full resolution take far more than five minutes a pair on two cores.

Source:
    github.com/ANTsX/ANTsPy
"""

from tempfile import TemporaryDirectory

from benchmarks.peers.base import Affine, Registered, Tool
from benchmarks.peers.itk import geometry, to_voxels
from l2r.arrays import Volume


def register(fixed: Volume, moving: Volume, affine: Affine) -> Registered:
    """By ANTsPy, which leaves its fields in files."""
    import ants  # noqa: PLC0415

    spacing_mm, origin, direction = geometry(affine)
    images = [ants.from_numpy(v, origin, spacing_mm, direction) for v in (fixed, moving)]
    with TemporaryDirectory() as folder:
        found = ants.registration(*images, "SyNOnly", outprefix=f"{folder}/")
        # The other transform is the affine one, here the identity.
        path = next(name for name in found["fwdtransforms"] if name.endswith("Warp.nii.gz"))
        vectors = to_voxels(ants.image_read(path).numpy(), affine)
    return Registered(vectors, found["warpedmovout"].numpy)


TOOL = Tool("antspyx", "ants", "registration(fixed, moving, 'SyNOnly')", register)
"""Mutual information, 40, 20 and 0 iterations: nothing at full resolution."""
