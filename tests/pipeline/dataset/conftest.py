"""Small data sets in the layouts that the real ones are shared in."""

import pickle
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

SHAPE = (6, 7, 5)


def volume(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(SHAPE).astype(np.float32)


def labels_of(values: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).choice(values, SHAPE).astype(np.int16)


def nifti(path: Path, array: np.ndarray, affine: np.ndarray | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.eye(4) if affine is None else affine), path)


def pickled(path: Path, content: object, protocol: int = 4) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=protocol))


@pytest.fixture
def ixi(tmp_path: Path) -> Path:
    """`IXI_data` with five subjects to train on, three to validate, two to test, and an atlas."""
    folder, number = tmp_path / "IXI_data", 0
    for split, count in {"Train": 5, "Val": 3, "Test": 2}.items():
        for _ in range(count):
            pair = (volume(number), labels_of((0, 2, 3, 41, 255), number))
            pickled(folder / split / f"subject_{number}.pkl", pair)
            number += 1
    pickled(folder / "atlas.pkl", (volume(99), labels_of((0, 2, 16), 99)))
    return folder


@pytest.fixture
def lpba40(tmp_path: Path) -> Path:
    """Five subjects as LONI shares them, in Analyze with a fourth axis."""
    for number in range(1, 6):
        stem = tmp_path / "LPBA40" / f"S{number:02}" / f"S{number:02}.delineation"
        stem.parent.mkdir(parents=True)
        for ending, array in (
            ("skullstripped", 1000 * volume(number)),
            ("structure.label", labels_of((0, 21, 166), number)),
        ):
            image = nib.AnalyzeImage(array[..., None].astype(np.int16), np.eye(4))
            nib.save(image, stem.with_name(f"{stem.name}.{ending}.img"))
    return tmp_path / "LPBA40"


@pytest.fixture
def mindboggle(tmp_path: Path) -> Path:
    """Four subjects of two cohorts."""
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    for number, name in enumerate(("OASIS-TRT-20-1", "OASIS-TRT-20-2", "NKI-RS-22-1", "MMRR-21-9")):
        folder = tmp_path / "Mindboggle101" / f"{name.rsplit('-', 1)[0]}_volumes" / name
        nifti(folder / "t1weighted_brain.MNI152.nii.gz", volume(number), affine)
        labels = labels_of((0, 1002, 2035), number)
        nifti(folder / "labels.DKT31.manual.MNI152.nii.gz", labels, affine)
    return tmp_path / "Mindboggle101"


@pytest.fixture
def neurite(tmp_path: Path) -> Path:
    """OASIS as neurite shares it: 23 subjects, and one folder without images."""
    for number in range(1, 24):
        folder = tmp_path / "neurite" / f"OASIS_OAS1_{number:04}_MR1"
        nifti(folder / "aligned_norm.nii.gz", volume(number))
        nifti(folder / "aligned_seg35.nii.gz", labels_of((0, 1, 35), number))
    (tmp_path / "neurite" / "OASIS_OAS1_0099_MR1").mkdir()
    return tmp_path / "neurite"


@pytest.fixture
def transmorphs_oasis(tmp_path: Path) -> Path:
    """OASIS in pickles: three subjects to train on, two pairs of three others to validate."""
    folder = tmp_path / "OASIS_L2R_2021_task03"
    subjects = {n: (volume(n), labels_of((0, 1, 35), n)) for n in (1, 2, 3, 438, 439, 440)}
    for number in (1, 2, 3):
        pickled(folder / "All" / f"p_{number:04}.pkl", subjects[number])
    for fixed in (438, 439):
        (x, x_seg), (y, y_seg) = subjects[fixed + 1], subjects[fixed]
        pickled(folder / "Test" / f"p_{fixed:04}_{fixed + 1:04}.pkl", (x, y, x_seg, y_seg))
    return folder


@pytest.fixture
def learn2reg(tmp_path: Path) -> Path:
    """OASIS as Learn2Reg shares it: labels of the training images alone."""
    for number in range(1, 24):
        name = f"OASIS_{number:04}_0000.nii.gz"
        nifti(tmp_path / "l2r" / "imagesTr" / name, volume(number))
        nifti(tmp_path / "l2r" / "labelsTr" / name, labels_of((0, 1, 35), number))
    for number in (454, 455, 456):
        name = f"OASIS_{number:04}_0000.nii.gz"
        nifti(tmp_path / "l2r" / "imagesTs" / name, volume(number))
    return tmp_path / "l2r"
