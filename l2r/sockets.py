"""An algorithm's inputs on grand-challenge.org.

The platform mounts a list of values, each with the socket that it came through:

    [{"socket": {"slug": ..., "relative_path": ..., "super_kind": "Image"}, "image": {...}}, ...]

In older phases `socket` is called `interface`. The value of an image socket is the one file in the
folder of its relative path.
"""

from pathlib import Path, PurePosixPath

from pydantic import AliasChoices, Field, RootModel

from l2r.errors import DatasetError
from l2r.formats.metaimage import MetaImage
from l2r.pairs import Pair, Scan
from l2r.schema import Tolerant, parse, read_json
from l2r.task import Sockets


class Socket(Tolerant):
    """The socket of a value."""

    slug: str
    relative_path: str = ""
    super_kind: str = ""


class Original(Tolerant):
    """The facts about an image apart from its values."""

    name: str


class Value(Tolerant):
    """One input or output of a job."""

    socket: Socket = Field(validation_alias=AliasChoices("interface", "socket"))
    image: Original | None = None


class _Values(RootModel[list[Value]]):
    pass


def read_sockets(listed: Path, folder: Path, wanted: Sockets) -> Pair:
    """The pair that a job is about.

    Args:
        listed: the list of values, `inputs.json`.
        folder: that relative paths are relative to.
        wanted: which sockets are which.

    Raises:
        DatasetError: the list is faulty, it is not clear which image is which, or the folder of a
            socket does not hold one image.
    """
    values = parse(_Values, read_json(listed, DatasetError), str(listed), DatasetError).root
    images = [v.socket for v in values if v.image or v.socket.super_kind.lower() == "image"]
    fixed = _named(images, wanted.fixed, "fixed")
    moving = _named(images, wanted.moving, "moving")
    surplus = wanted.fixed is None and wanted.moving is None and len(images) > 2
    if len(fixed) != 1 or len(moving) != 1 or fixed == moving or surplus:
        slugs = ", ".join(socket.slug for socket in images) or "none"
        raise DatasetError(
            f"{listed}: image sockets are {slugs}; expected are {wanted.fixed or '*fixed*'} and "
            f"{wanted.moving or '*moving*'}, name yours in [container.sockets] of a task file"
        )
    return Pair(_scan(fixed[0], folder, listed), _scan(moving[0], folder, listed))


def _named(images: list[Socket], slug: str | None, role: str) -> list[Socket]:
    return [one for one in images if (one.slug == slug if slug else role in one.slug)]


def _visible(folder: Path) -> list[str]:
    """Names of the files, but for those that macOS leaves (`._*`, `.DS_Store`)."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def _scan(socket: Socket, folder: Path, listed: Path) -> Scan:
    relative = PurePosixPath(socket.relative_path)
    if relative.is_absolute() or ".." in relative.parts:
        raise DatasetError(
            f"{listed}: {socket.slug}: {socket.relative_path!r} leaves the folder of inputs"
        )
    place = folder / relative
    files = _visible(place) if place.is_dir() else []
    if len(files) != 1 or not files[0].endswith(MetaImage.suffixes):
        raise DatasetError(
            f"{place}: holds {', '.join(files) or 'no file'}; one {MetaImage.suffixes[0]} file is "
            f"expected, the image of socket {socket.slug}"
        )
    return Scan(relative / files[0], place / files[0])
