"""Images of the container engine: looked up by name, and read as archives."""

from collections import deque
from dataclasses import dataclass
from io import BufferedReader

import docker
from docker.errors import ImageNotFound

from l2r.errors import ContainerError
from l2r.schema import parse
from pipeline.container.check_image import ImageFacts, SavedImage, read_archive
from pipeline.container.engine import Chunks


@dataclass(frozen=True)
class EngineImage:
    """An image of the engine."""

    name: str
    """With its tag: a name without one would save all tags."""
    id: str
    facts: ImageFacts
    size: int
    """Bytes, unpacked."""


def find_image(client: docker.DockerClient, name: str) -> EngineImage:
    """Look an image up.

    Raises:
        ContainerError: the engine has none of that name.
    """
    try:
        known = client.images.get(name).attrs
    except ImageNotFound:
        raise ContainerError(
            f"{name}: the engine has no such image; build it with "
            f"python -m pipeline container build --tag {name}"
        ) from None
    latest = f"{name}:latest"
    tagged = latest if latest in (known["RepoTags"] or ()) else name
    return EngineImage(
        tagged, known["Id"], parse(ImageFacts, known, name, ContainerError), known["Size"]
    )


def read_saved(client: docker.DockerClient, image: EngineImage) -> SavedImage:
    """Read the archive that `docker save` would write, without keeping it.

    Raises:
        ContainerError: it is no saved image.
    """
    chunks = client.api.get_image(image.name)
    try:
        return read_archive(BufferedReader(Chunks(chunks), 1 << 20), image.name)
    finally:
        deque(chunks, maxlen=0)  # a tar file ends in nothing; reading it gives the connection back
