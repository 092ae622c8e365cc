"""Places of the ground truth: label maps and landmarks lie in folders next to the images'.

The scorer finds the labels of `imagesVal/X.nii.gz` under `labelsVal/X.nii.gz`, by replacing
`images` in the path, and the landmarks under `landmarksVal/X.nii.gz`. LUMIR's validation pairs have
either the one or the other, so a metric without ground truth is left out.
"""

from dataclasses import dataclass
from pathlib import Path

from l2r.errors import ImageError
from l2r.pairs import Pair, Scan

IMAGES = "images"


@dataclass(frozen=True)
class GroundTruth:
    """A folder that the paths of a pair list are relative to."""

    folder: Path

    def path(self, scan: Scan, kind: str, suffix: str | None = None) -> Path:
        """Path at which the scorer expects the `images`, the `labels`, the `landmarks` of a scan.

        Args:
            scan: one of a pair.
            kind: of ground truth, which replaces `images` in the names of folders.
            suffix: `.csv`, for instance, where it is another than the image's.

        Example:
            >>> from pathlib import PurePosixPath
            >>> scan = Scan(PurePosixPath("imagesVal/A_0001_0000.nii.gz"), Path("unused"))
            >>> GroundTruth(Path("truth")).path(scan, "labels").as_posix()
            'truth/labelsVal/A_0001_0000.nii.gz'
        """
        path = self.folder / scan.beside(kind)
        return path if suffix is None else path.with_name(scan.stem + suffix)

    def has(self, pair: Pair, kind: str, suffix: str | None = None) -> bool:
        """Tell whether both scans of a pair have this kind of ground truth.

        Raises:
            ImageError: only one of them has, or an image is missing.
        """
        paths = [self.path(scan, kind, suffix) for scan in (pair.fixed, pair.moving)]
        if kind != IMAGES and paths == [self.path(s, IMAGES) for s in (pair.fixed, pair.moving)]:
            return False  # no folder is called images, so no other folder belongs to it
        missing = [path for path in paths if not path.is_file()]
        if not missing:
            return True
        if kind != IMAGES and len(missing) == len(paths):
            return False
        raise ImageError(f"{missing[0]}: no such file, but {pair.name} cannot be scored without it")
