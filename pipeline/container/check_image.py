"""Checks of an image before it runs: user, architecture, entry point, size, archive."""

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from isal import isal_zlib
from pydantic import AliasChoices, Field, RootModel

from l2r.check import Finding
from l2r.errors import ContainerError
from l2r.schema import Tolerant, parse
from pipeline.container.contracts import Contract

LARGEST = 10 * 10**9
"""Bytes: 10 GB, of the image and of what `docker save` writes."""
ARCHITECTURE = "amd64"
SMALL = 1 << 20
"""Bytes of a member of an archive that may be its manifest or a configuration."""
_INFLATING: type[Exception] = isal_zlib.error  # type: ignore[assignment] # untyped
_DAMAGED = (tarfile.TarError, EOFError, OSError, _INFLATING)


@runtime_checkable
class Readable(Protocol):
    """A file that is read from its beginning to its end."""

    def read(self, size: int = -1, /) -> bytes:
        """At most so many bytes."""
        ...


class _Config(Tolerant):
    user: str | None = Field(None, alias="User")
    entrypoint: list[str] | None = Field(None, alias="Entrypoint")
    command: list[str] | None = Field(None, alias="Cmd")


class ImageFacts(Tolerant):
    """An image, as the engine describes it, or as its configuration in an archive does."""

    architecture: str = Field(validation_alias=AliasChoices("Architecture", "architecture"))
    config: _Config = Field(_Config(), validation_alias=AliasChoices("Config", "config"))


@dataclass(frozen=True)
class SavedImage:
    """The contents of an archive that `docker save` wrote."""

    images: int
    facts: ImageFacts
    """Of the first image."""
    size: int
    """Bytes."""


class _Entry(Tolerant):
    config: str = Field(alias="Config")


class _Manifest(RootModel[list[_Entry]]):
    pass


def check_config(facts: ImageFacts, contract: Contract) -> Iterator[Finding]:
    """Yield the faults of an image's configuration."""
    user = (facts.config.user or "").partition(":")[0]
    if user in {"", "root"} or (user.isdecimal() and int(user) == 0):
        said = f"USER {facts.config.user}" if facts.config.user else "no USER"
        yield Finding("image", f"runs as root ({said}); set a numeric USER other than 0")
    if facts.architecture != ARCHITECTURE:
        yield Finding(
            "image",
            f"is for {facts.architecture}, but platforms run {ARCHITECTURE}; "
            f"build it with --platform linux/{ARCHITECTURE}",
        )
    if contract.call == "arguments" and not facts.config.entrypoint:
        yield Finding(
            "image", "has no ENTRYPOINT, so the five paths would be taken for the command; set one"
        )
    elif not facts.config.entrypoint and not facts.config.command:
        yield Finding("image", "has neither ENTRYPOINT nor CMD, so nothing would start; set one")


def check_size(what: str, size: int) -> Iterator[Finding]:
    """Yield a finding if an image or its archive is larger than platforms accept."""
    if size > LARGEST:
        yield Finding(
            what,
            f"{size / 1e9:.1f} GB, but at most {LARGEST / 1e9:.0f} GB are taken; "
            "use a smaller base, or torch's CPU build",
        )


def check_archive(saved: SavedImage) -> Iterator[Finding]:
    """Yield the faults of a saved image as an archive."""
    if saved.images != 1:
        yield Finding("archive", f"{saved.images} images, but exactly one is taken; save one tag")
    yield from check_size("archive", saved.size)


def read_archive(stream: Readable, where: str) -> SavedImage:
    """Read what `docker save` wrote, once and without unpacking it.

    Args:
        stream: the tar file.
        where: begins messages.

    Raises:
        ContainerError: it is no saved image.
    """
    small: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:  # type: ignore[call-overload] # reads
            for member in archive:
                content = archive.extractfile(member) if member.size <= SMALL else None
                if content is not None:
                    small[member.name] = content.read()
            size = archive.offset
    except _DAMAGED as cause:
        raise ContainerError(f"{where}: not a saved image: {cause}; save it again") from None
    manifest = _json(small, "manifest.json", where)
    entries = parse(_Manifest, manifest, f"{where}: manifest.json", ContainerError).root
    if not entries:
        raise ContainerError(f"{where}: holds no image; save it again")
    config = _json(small, entries[0].config, where)
    facts = parse(ImageFacts, config, f"{where}: configuration", ContainerError)
    return SavedImage(len(entries), facts, size)


def _json(members: dict[str, bytes], name: str, where: str) -> object:
    try:
        return json.loads(members[name])
    except (KeyError, ValueError):
        raise ContainerError(f"{where}: {name} is missing or damaged; save it again") from None
