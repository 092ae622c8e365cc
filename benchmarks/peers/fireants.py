"""FireANTs on the CPU: greedy, compositive, Adam on local correlation.

Source:
    github.com/rohitrango/FireANTs
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.peers.base import Affine, Registered, Tool
from benchmarks.peers.itk import simple_image, to_voxels
from l2r.arrays import Volume

REQUIREMENTS = ("fireants==1.5.0", "SimpleITK==2.5.7", "tqdm==4.67.1")
SCALES, ITERATIONS = [4, 2, 1], [200, 100, 50]
SETTINGS = "GreedyRegistration(scales=[4, 2, 1], iterations=[200, 100, 50], cc_kernel_size=5), CPU"


def register(fixed: Volume, moving: Volume, affine: Affine) -> Registered:
    """With the settings of its tutorial, but for the device."""
    import SimpleITK as sitk  # noqa: N813, PLC0415
    from fireants.io.image import BatchedImages, Image  # noqa: PLC0415
    from fireants.registration.greedy import GreedyRegistration  # noqa: PLC0415

    images = [
        BatchedImages([Image(simple_image(volume, affine), device="cpu")])
        for volume in (fixed, moving)
    ]
    found = GreedyRegistration(
        scales=SCALES,
        iterations=ITERATIONS,
        fixed_images=images[0],
        moving_images=images[1],
        cc_kernel_size=5,
        progress_bar=False,
    )
    found.optimize()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "warp.nii.gz"
        found.save_as_ants_transforms(str(path))
        millimetres = sitk.GetArrayFromImage(sitk.ReadImage(str(path))).transpose(2, 1, 0, 3)

    def warped() -> Volume:
        return found.evaluate(*images)[0, 0].detach().numpy().T

    return Registered(to_voxels(millimetres, affine), warped)


TOOL = Tool(REQUIREMENTS, SETTINGS, register)
