"""Phantom pairs in the layout that an organiser mounts, for a verification without data."""

import json
from pathlib import Path

from l2r.arrays import Shape
from l2r.disk import writing
from l2r.phantom import write_phantom
from l2r.task import load_task
from pipeline.container.contracts import Contract

LUMIR_SHAPE: Shape = (160, 224, 192)
"""Shape of the phantom if the contract's task accepts any."""


def make_pair(contract: Contract, folder: Path, shape: Shape | None = None) -> Path:
    """Write one pair.

    Args:
        contract: decides the names of the images, and that there are PET images beside CT.
        folder: for list and images.
        shape: of the images, in voxels; that of the contract's task where it is not given.

    Returns:
        The pair list.

    Raises:
        OutputError: the folder cannot be written to.
    """
    shape = shape or load_task(contract.task).data.shape or LUMIR_SHAPE
    dataset = write_phantom(folder, shape=shape, subjects=2)
    return _two_visits(folder) if contract.call == "arguments" else dataset


def _two_visits(folder: Path) -> Path:
    """The two subjects as a patient's visits: the scan is the CT, the map of structures the PET."""
    entry = {}
    for subject, visit, name in ((2, "00", "Baseline"), (1, "01", "Follow-up 01")):
        for modality, kind, scan in (("0000", "images", "CT"), ("0001", "labels", "PET")):
            image = f"PSMARegPSMA_0001_{modality}_{visit}.nii.gz"
            (folder / f"{kind}Val" / f"PHANTOM_{subject:04}_0000.nii.gz").rename(folder / image)
            entry[f"{name} {scan}"] = f"./{image}"
    dataset = folder / "PSMAREG_dataset.json"
    with writing(dataset) as file:
        file.write(json.dumps({"validation_paired": [entry]}, indent=1).encode())
    return dataset
