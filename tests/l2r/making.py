"""Small files and records for the tests of the contract."""

import gzip
import json
from pathlib import Path, PurePosixPath

import nibabel as nib
import numpy as np

from l2r.dataset import read_pairs
from l2r.pairs import Pair, Scan


def scan(name: str) -> Scan:
    """An image that is nowhere, named without folder and suffix."""
    relative = PurePosixPath("imagesVal", f"{name}.nii.gz")
    return Scan(relative, Path("nowhere") / relative)


def pair(fixed: str, moving: str) -> Pair:
    """A pair of images that are nowhere."""
    return Pair(scan(fixed), scan(moving))


def nifti(array: np.ndarray, kind: type[nib.Nifti1Image] = nib.Nifti1Image) -> bytes:
    """The array as an uncompressed NIfTI file of its own type and byte order."""
    header = kind.header_class(endianness=">" if array.dtype.byteorder == ">" else "<")
    header.set_data_dtype(array.dtype)
    return kind(array, np.eye(4), header).to_bytes()


def save(path: Path, array: np.ndarray) -> Path:
    """The array as a file, in a folder that is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = nifti(array)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def listed(path: Path, raw: object) -> Path:
    """A JSON file."""
    path.write_text(json.dumps(raw))
    return path


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    """Values between 0 and 1, as float32."""
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def read(folder: Path, raw: object, split: str = "validation") -> list[Pair]:
    """Write a pair list and read it."""
    return read_pairs(listed(folder / "list.json", raw), folder, split)
