"""The image of this repository, built by the engine."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from l2r import __version__
from l2r.errors import ContainerError
from pipeline.container.engine import engine
from pipeline.container.images import EngineImage, find_image
from pipeline.version import current_commit

ROOT = Path(__file__).parents[2]
TARGET = "run"
WIDTH = 100
"""Characters of a step that are shown."""
_STEP = re.compile(r"Step \d+/\d+ : ")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ENGINES = ("--->", "Removing intermediate container", "Successfully ")
"""Begin the engine's own lines between what a step says."""
Tell = Callable[[str], None]


@dataclass(frozen=True)
class BuildRequest:
    """The options of a build; None where the Dockerfile or the engine decides."""

    tag: str
    arguments: dict[str, str | None]
    network: str | None = None


def build_image(wanted: BuildRequest, tell: Tell, context: Path = ROOT) -> EngineImage:
    """Build the pipeline's image.

    Args:
        wanted: tag, build arguments, network.
        tell: is given each step's line.
        context: folder of the Dockerfile; `.dockerignore` says what of it the engine gets.

    Raises:
        ContainerError: no engine, or a step fails.
    """
    with engine() as client:
        events = client.api.build(
            path=str(context),
            tag=wanted.tag,
            target=TARGET,
            buildargs={name: value for name, value in wanted.arguments.items() if value},
            network_mode=wanted.network,
            rm=True,
            forcerm=True,
            decode=True,
            timeout=None,
        )
        _follow(events, tell)
        return find_image(client, wanted.tag)


def labels() -> dict[str, str | None]:
    """Return the build arguments of the image's labels: version and commit."""
    return {"VERSION": __version__, "REVISION": current_commit()}


def _follow(events: Iterable[dict[str, str]], tell: Tell) -> None:
    """Pass on the steps; where one fails, its last words are the message."""
    step, last, failure = "before the first step", "", ""
    for event in events:
        for line in _COLOUR.sub("", event.get("stream", "")).splitlines():
            if _STEP.match(line):
                step, last = line[:WIDTH], ""
                tell(step)
            elif line.strip() and not line.strip().startswith(_ENGINES):
                last = line.strip()
        if "error" in event:  # the last event, but only its end gives the connection back
            said = f"{last}; " if last else ""
            failure = f"build: {step}: {said}{' '.join(event['error'].split())}"
    if failure:
        raise ContainerError(failure)
