"""Images of some lines on a minimal Debian: faulty ones, and one that knows the answer."""

import hashlib
from pathlib import Path

import numpy as np

from l2r.formats.fields import write_field
from l2r.phantom import true_field
from tests.container.engine import Engine
from tests.container.pairs import LARGER

FIELD = "disp_0002_0001.nii.gz"
"""Of the pair that `enlarged_pair` makes for LUMIR."""


def built(engine: Engine, folder: Path, *lines: str) -> str:
    """Tag of an image; `folder` is the build's context."""
    text = "\n".join(lines)
    (folder / "Dockerfile").write_text(text)
    tag = f"small:{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    engine.client.images.build(path=str(folder), tag=tag, network_mode="none", rm=True)
    return tag


def right_field() -> np.ndarray:
    """Of that pair, in voxels, as the phantom has it."""
    field = true_field(2, 1, (40, 56, 48)) * LARGER
    return field.repeat(LARGER, 0).repeat(LARGER, 1).repeat(LARGER, 2)


def knowing(engine: Engine, base_image: str, folder: Path) -> str:
    """Tag of an image that writes the right field of that pair, and looks at nothing."""
    write_field(folder / FIELD, right_field(), np.eye(4))
    return built(
        engine,
        folder,
        f"FROM {base_image}",
        f"COPY {FIELD} /{FIELD}",
        "USER 10001:10001",
        f'ENTRYPOINT ["cp", "/{FIELD}", "/output/{FIELD}"]',
    )
