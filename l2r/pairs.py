"""A pair of images as a list has it: names, numbers in them, and what lies beside."""

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from l2r.errors import DatasetError
from l2r.formats.table import strip_suffix

_NUMBERED = re.compile(r"(?P<subject>\d{4})_(?P<modality>\d{4})$")


@dataclass(frozen=True)
class Scan:
    """One image of a pair."""

    relative: PurePosixPath
    """As the list names it, without a leading `./`."""
    path: Path
    """Where it lies."""
    beside_it: tuple[tuple[str, PurePosixPath], ...] = ()
    """What belongs to it, by kind, where the list says so; else its place follows by a rule."""
    alias: str | None = field(default=None, compare=False)
    """Its name in outputs where other images of the list have the same file name."""

    @property
    def name(self) -> str:
        """The alias, or the file name without its suffix."""
        return self.alias or self.stem

    @property
    def stem(self) -> str:
        """The file name without the end that tells its format."""
        return strip_suffix(self.relative.name)

    @property
    def ids(self) -> tuple[str, str]:
        """Subject and modality, `("3456", "0000")` of `LUMIRMRI_3456_0000.nii.gz`.

        Raises:
            DatasetError: the name does not end like that.
        """
        return self.numbers(_NUMBERED, "_SSSS_MMMM.nii.gz (subject, modality)")

    def numbers(self, pattern: re.Pattern[str], ending: str) -> tuple[str, str]:
        """Two numbers that the name holds.

        Args:
            pattern: with two groups, searched for in the file name without its suffix.
            ending: describes it in the message.

        Raises:
            DatasetError: the name does not hold them.
        """
        found = pattern.search(self.stem)
        if found is None:
            raise DatasetError(
                f"{self.relative}: the name must end in {ending}; rename the file, "
                "or use --task any"
            )
        first, second = found.groups()
        return first, second

    def beside(self, kind: str) -> PurePosixPath:
        """The relative path of its `labels` or `landmarks`, as the pair list has it.

        Where the list is silent, `images` is replaced in every folder.

        Example:
            >>> Scan(PurePosixPath("imagesVal/A_0001_0000.nii.gz"), Path("unused")).beside("labels")
            PurePosixPath('labelsVal/A_0001_0000.nii.gz')
        """
        for known, path in self.beside_it:
            if known == kind:
                return path
        *folders, name = self.relative.parts
        return PurePosixPath(*(part.replace("images", kind) for part in folders), name)

    @property
    def root(self) -> Path:
        """The folder that the list's paths are relative to."""
        return self.path.parents[len(self.relative.parts) - 1]

    @property
    def labels(self) -> Path:
        """The path of the image's label map, if there is one.

        Raises:
            DatasetError: it would be the image itself.
        """
        relative = self.beside("labels")
        if relative == self.relative:
            raise DatasetError(
                f"{self.path}: its label map lies where `images` in the path is replaced by "
                "`labels`, but no folder is called so; give images in imagesTr, label maps in "
                "labelsTr beside it"
            )
        return self.root / relative


@dataclass(frozen=True)
class Pair:
    """A moving image that is to be brought onto a fixed one."""

    fixed: Scan
    moving: Scan

    @property
    def name(self) -> str:
        """In messages and scores: `<fixed><--<moving>`."""
        return f"{self.fixed.name}<--{self.moving.name}"

    def files(self, *, labels: bool) -> list[Path]:
        """Both images, and both label maps if these are wanted."""
        scans = [self.fixed, self.moving]
        maps = [scan.labels for scan in scans] if labels else []
        return [*(scan.path for scan in scans), *maps]
