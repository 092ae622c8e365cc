"""From files to normalised volumes on a common working grid."""

from dataclasses import dataclass

from l2r.arrays import working_box
from l2r.dataset import Pair, Scan
from l2r.errors import ImageError
from l2r.files import Image, read_image
from l2r.task import Task
from pipeline.stage import Prepared


@dataclass(frozen=True)
class PreprocessPair:
    """Read, check, normalise, pad."""

    task: Task
    grid_multiple: int
    """Every axis of the working grid becomes a multiple of this."""

    def __call__(self, pair: Pair, /) -> Prepared:
        """Load both images of a pair.

        Raises:
            ImageError: a file cannot be used, or its shape is not the task's.
        """
        fixed, moving = self._read(pair.fixed), self._read(pair.moving)
        box = working_box(fixed.shape, moving.shape, self.grid_multiple)
        normalise = self.task.preprocess.normalise
        return Prepared(
            pair=pair,
            fixed=box.cut(normalise(fixed.array)),
            moving=box.cut(normalise(moving.array)),
            box=box,
            shape=fixed.shape,
            affine=fixed.affine,
            warnings=_warnings(fixed, moving),
        )

    def _read(self, scan: Scan) -> Image:
        image = read_image(scan.path)
        expected = self.task.data.shape
        if expected is not None and image.shape != expected:
            raise ImageError(
                f"{scan.path}: shape {image.shape}, but task {self.task.name!r} asks for "
                f"{expected}; resample the image, or use --task any"
            )
        return image


def _warnings(fixed: Image, moving: Image) -> tuple[str, ...]:
    if fixed.orientation == moving.orientation:
        return ()
    return (
        f"headers disagree: fixed is {fixed.orientation}, moving is {moving.orientation}; "
        "the arrays are taken as stored, as the scorers take them",
    )
