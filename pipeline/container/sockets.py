"""The mounts of a grand-challenge.org job: `inputs.json`, and the images of its sockets."""

import json
from pathlib import Path, PurePosixPath

from l2r.disk import writing
from l2r.formats.volumes import read_image, write_volume
from l2r.pairs import Pair

INPUTS = "inputs.json"
FIELD = PurePosixPath("images/displacement-field/output.mha")
"""Where an algorithm writes the field."""


def write_inputs(folder: Path, pair: Pair) -> None:
    """Write the files that a job with this pair finds under `/input`.

    Args:
        folder: is made.
        pair: its images become `.mha`.

    Raises:
        ImageError: one cannot be read.
        OutputError: the folder cannot be written to.
    """
    values = []
    for slug, scan in (("fixed-image", pair.fixed), ("moving-image", pair.moving)):
        place = PurePosixPath("images", slug)
        (folder / place).mkdir(parents=True)
        image = read_image(scan.path)
        write_volume(folder / place / f"{scan.stem}.mha", image.array, image.affine)
        socket = {"slug": slug, "relative_path": str(place), "kind": "Image", "super_kind": "Image"}
        values.append({"interface": socket, "image": {"name": f"{scan.stem}.mha"}})
    with writing(folder / INPUTS) as file:
        file.write(json.dumps(values, indent=1).encode())
