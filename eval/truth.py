"""Where the ground truth lies: label maps and landmarks stand beside the images.

The scorer finds the labels of `imagesVal/X.nii.gz` under `labelsVal/X.nii.gz`, by replacing
`images` in the path, and the landmarks under `landmarksVal/X.nii.gz`. LUMIR's validation pairs have
either the one or the other, so what is not there is simply not scored.
"""

from dataclasses import dataclass
from pathlib import Path

from l2r.dataset import Pair, Scan
from l2r.errors import ImageError

IMAGES = "images"
POINTS = (".csv", ".fcsv")
"""Of files that hold a point per line."""


@dataclass(frozen=True)
class GroundTruth:
    """A folder that the paths of a pair list are relative to."""

    folder: Path

    def path(self, scan: Scan, kind: str) -> Path:
        """Where the scorer looks for the `images`, the `labels`, the `landmarks` of a scan.

        Example:
            >>> from pathlib import PurePosixPath
            >>> scan = Scan(PurePosixPath("imagesVal/A_0001_0000.nii.gz"), Path("unused"))
            >>> GroundTruth(Path("truth")).path(scan, "labels").as_posix()
            'truth/labelsVal/A_0001_0000.nii.gz'
        """
        return self.folder / scan.beside(kind)

    def find(self, scan: Scan, kind: str) -> Path:
        """Where it lies: at `path`, or beside that as a list of points, `.csv` or `.fcsv`."""
        path = self.path(scan, kind)
        stem = path.name.removesuffix(".gz").removesuffix(".nii")
        places = [path, *(path.with_name(f"{stem}{suffix}") for suffix in POINTS)]
        return next((place for place in places if place.is_file()), path)

    def has(self, pair: Pair, kind: str) -> bool:
        """Whether both scans of a pair have this kind of ground truth.

        Raises:
            ImageError: only one of them has, or an image is missing.
        """
        paths = [self.path(scan, kind) for scan in (pair.fixed, pair.moving)]
        if kind != IMAGES and paths == [self.path(s, IMAGES) for s in (pair.fixed, pair.moving)]:
            return False  # no folder is called images, so nothing can stand beside it
        found = [self.find(scan, kind) for scan in (pair.fixed, pair.moving)]
        missing = [path for path in found if not path.is_file()]
        if not missing:
            return True
        if kind != IMAGES and len(missing) == len(paths):
            return False
        raise ImageError(f"{missing[0]}: no such file, but {pair.name} cannot be scored without it")
