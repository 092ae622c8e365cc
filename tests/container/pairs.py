"""Pairs on the grids of the challenges in seconds: a small phantom, every voxel enlarged."""

from pathlib import Path

import nibabel as nib
import numpy as np

from l2r.formats.volumes import write_volume
from pipeline.container.contracts import find_contract
from pipeline.container.inputs import open_for_reading
from pipeline.container.phantom import make_pair

LARGER = 4


def enlarged_pair(folder: Path, contract: str) -> Path:
    """A list of one pair on the contract's grid."""
    shape = (48, 48, 72) if contract == "psmareg26" else (40, 56, 48)
    dataset = make_pair(find_contract(contract), folder, shape)
    for path in folder.rglob("*.nii.gz"):
        array = np.asarray(nib.load(path).dataobj)
        write_volume(path, array.repeat(LARGER, 0).repeat(LARGER, 1).repeat(LARGER, 2))
    open_for_reading(folder)
    return dataset
