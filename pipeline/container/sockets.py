"""The mounts of a grand-challenge.org job: `inputs.json`, and the images of its sockets."""

import json
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float

from l2r.dataset import Pair
from l2r.disk import writing
from l2r.formats.nifti import read_image

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
        _write_mha(scan.path, folder / place / f"{scan.stem}.mha")
        socket = {"slug": slug, "relative_path": str(place), "kind": "Image", "super_kind": "Image"}
        values.append({"interface": socket, "image": {"name": f"{scan.stem}.mha"}})
    with writing(folder / INPUTS) as file:
        file.write(json.dumps(values, indent=1).encode())


def _write_mha(source: Path, target: Path) -> None:
    """An image as the platform hands it over, in ITK's axes: LPS instead of RAS."""
    image = read_image(source)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine
    directions = (affine[:3, :3] / image.spacing_mm).T  # of an axis after the other
    header = {
        "ObjectType": "Image",
        "NDims": 3,
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False",
        "TransformMatrix": _spelt(directions.ravel()),
        "Offset": _spelt(affine[:3, 3]),
        "ElementSpacing": _spelt(image.spacing_mm),
        "DimSize": " ".join(map(str, image.shape)),
        "ElementType": "MET_FLOAT",
        "ElementDataFile": "LOCAL",
    }
    with writing(target) as file:
        file.writelines(f"{key} = {value}\n".encode() for key, value in header.items())
        file.write(image.array.astype("<f4").tobytes(order="F"))


def _spelt(numbers: Float[np.ndarray, "..."]) -> str:
    return " ".join(f"{number:.9g}" for number in numbers.ravel())
