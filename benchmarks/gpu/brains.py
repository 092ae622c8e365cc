"""Brains in one file of three fifths of their size, to be taken to a machine with a GPU.

python -m benchmarks.gpu.brains pack FILE FOLDER [FOLDER ...]
python -m benchmarks.gpu.brains unpack FILE FOLDER

Each folder holds images or label maps in bytes; below the second command's folder they have the
same names. A voxel of an image is stored as its distance, modulo 256, from what its neighbours
towards the origin let one expect, and bzip2 does the rest; label maps take bzip2 alone.
"""

import bz2
import io
import json
import sys
import tarfile
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import typer
from jaxtyping import Int, Int16, UInt8

from l2r.errors import ImageError, L2RError
from l2r.formats.affine import Affine
from l2r.formats.volumes import read_image, write_volume

_INDEX = "index.json"
_PLANES, _LINES = ((1, 0, 0), (0, 1, 0), (0, 0, 1)), ((1, 1, 0), (1, 0, 1), (0, 1, 1))
"""Neighbours across a face count twice, those across an edge are subtracted."""


app = typer.Typer(help=(__doc__ or "").splitlines()[0], add_completion=False)


@app.command()
def pack(file: Path, folders: list[Path]) -> None:
    """Write all volumes of some folders into one file.

    Raises:
        ImageError: there is none, or one does not consist of bytes.
    """
    paths = [path for folder in folders for path in sorted(folder.glob("*.nii*"))]
    if not paths:
        raise ImageError(f"{', '.join(map(str, folders))}: no NIfTI file")
    with tarfile.open(file, "w") as tar, ProcessPoolExecutor() as pool:
        index = {}
        for path, (known, content) in zip(paths, pool.map(_packed, paths), strict=True):
            name = f"{path.parent.name}/{path.name}"
            index[name] = known
            _add(tar, name, content)
        _add(tar, _INDEX, json.dumps(index).encode())
    print(f"{file}: {len(paths)} volumes, {file.stat().st_size / 1e6:.1f} MB")


@app.command()
def unpack(file: Path, folder: Path) -> None:
    """Write the volumes again, bit by bit those that were packed."""
    with tarfile.open(file) as tar:
        contents = {member.name: _content(tar, member) for member in tar.getmembers()}
    index = json.loads(contents.pop(_INDEX))
    with ProcessPoolExecutor() as pool:
        jobs = [
            pool.submit(_unpacked, folder / name, contents[name], **known)
            for name, known in index.items()
        ]
        for job in jobs:
            job.result()


def residual(volume: UInt8[np.ndarray, "x y z"]) -> UInt8[np.ndarray, "x y z"]:
    """The distance of each voxel from what its neighbours let one expect, modulo 256."""
    padded = np.pad(volume.astype(np.int16), ((1, 0),) * 3)
    x, y, z = volume.shape

    def neighbours(offset: tuple[int, int, int]) -> Int16[np.ndarray, "x y z"]:
        i, j, k = (1 - step for step in offset)
        return padded[i : i + x, j : j + y, k : k + z]

    faces, edges = sum(map(neighbours, _PLANES)), sum(map(neighbours, _LINES))
    return (volume - _expected(faces, edges)).astype(np.uint8)


def restored(distances: UInt8[np.ndarray, "x y z"]) -> UInt8[np.ndarray, "x y z"]:
    """The volume of a residual, from the origin on: voxels of one `x + y + z` at a time."""
    x, y, z = distances.shape
    padded = np.zeros((x + 1, y + 1, z + 1), np.int16)
    flat, strides = padded.reshape(-1), np.array([(y + 1) * (z + 1), z + 1, 1])
    faces, edges = ([np.dot(offset, strides) for offset in each] for each in (_PLANES, _LINES))
    order, places, ends = _fronts((x, y, z))
    wanted = distances.reshape(-1)[order]
    for start, end in pairwise([0, *ends]):
        here = places[start:end]
        expected = _expected(sum(flat[here - f] for f in faces), sum(flat[here - e] for e in edges))
        flat[here] = (wanted[start:end] + expected) % 256
    return padded[1:, 1:, 1:].astype(np.uint8)


@lru_cache(1)
def _fronts(
    shape: tuple[int, int, int],
) -> tuple[Int[np.ndarray, " _"], Int[np.ndarray, " _"], list[int]]:
    """Voxels by `x + y + z`: their order, their places in the padded volume, the fronts' ends."""
    x, y, z = np.ogrid[: shape[0], : shape[1], : shape[2]]
    front = (x + y + z).astype(np.int16).reshape(-1)
    order = np.argsort(front, kind="stable")
    places = (((x + 1) * (shape[1] + 1) + y + 1) * (shape[2] + 1) + z + 1).reshape(-1)
    return order, places[order], np.cumsum(np.bincount(front)).tolist()


def _expected(
    faces: Int16[np.ndarray, "*shape"], edges: Int16[np.ndarray, "*shape"]
) -> Int16[np.ndarray, "*shape"]:
    return np.clip((2 * faces - edges) // 3, 0, 255)


def _packed(path: Path) -> tuple[dict[str, Any], bytes]:
    image = read_image(path)
    volume = image.array.astype(np.uint8)
    if not np.array_equal(volume, image.array):
        raise ImageError(f"{path}: has values that are no bytes")
    known = {"shape": list(volume.shape), "affine": image.affine.tolist()}
    plain, residuals = (bz2.compress(v.tobytes()) for v in (volume, residual(volume)))
    if len(plain) < len(residuals):
        return {**known, "plain": True}, plain
    return {**known, "plain": False}, residuals


def _unpacked(path: Path, content: bytes, shape: list[int], affine: Affine, *, plain: bool) -> None:
    stored = np.frombuffer(bz2.decompress(content), np.uint8).reshape(shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_volume(path, stored if plain else restored(stored), np.array(affine))


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return b"" if file is None else file.read()


if __name__ == "__main__":
    try:
        app()
    except L2RError as error:
        sys.exit(f"error: {error}")
