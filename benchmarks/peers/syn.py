"""ANTs SyN: symmetric and diffeomorphic, without its rigid and affine stages.

Local correlation (`syn_metric="CC"`, `antsRegistrationSyN[so]`) is left out: on two cores one
iteration at full resolution takes about a minute.

Source:
    github.com/ANTsX/ANTsPy
"""

from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.peers.base import Affine, Registered, Tool
from benchmarks.peers.itk import geometry, to_voxels
from l2r.arrays import Volume


def register(fixed: Volume, moving: Volume, affine: Affine, **options: Any) -> Registered:
    """By ANTsPy, which leaves its fields in files."""
    import ants  # noqa: PLC0415

    spacing_mm, origin, direction = geometry(affine)
    images = [ants.from_numpy(v, origin, spacing_mm, direction) for v in (fixed, moving)]
    with TemporaryDirectory() as folder:
        found = ants.registration(*images, "SyNOnly", outprefix=f"{folder}/", **options)
        # The other transform is the affine one, here the identity.
        path = next(name for name in found["fwdtransforms"] if name.endswith("Warp.nii.gz"))
        vectors = to_voxels(ants.image_read(path).numpy(), affine)
    return Registered(vectors, found["warpedmovout"].numpy)


def _tool(**options: Any) -> Tool:
    words = "".join(f", {name}={value!r}" for name, value in options.items())
    settings = f"registration(fixed, moving, 'SyNOnly'{words})"
    return Tool("antspyx", "ants", settings, partial(register, **options))


DEFAULT = _tool()
"""Mutual information, 40, 20 and 0 iterations: nothing at full resolution."""
PAPERS = _tool(syn_metric="meansquares", reg_iterations=(160, 80, 40))
"""The baseline of TransMorph and of many papers since."""
