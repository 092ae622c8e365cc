"""Raw heads of real people, by the networks of deepbet."""

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from l2r.formats.volumes import read_image
from pipeline.prepare.head import PrepareHead
from pipeline.prepare.template import white_level

RAW = Path(os.environ.get("REGATTA_SHARED", "nowhere")) / "data/raw"

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not RAW.is_dir(), reason="REGATTA_SHARED has no raw heads"),
    pytest.mark.skipif(find_spec("deepbet") is None, reason="deepbet is not installed"),
]


@pytest.mark.parametrize("name", ["02_pumi_sub001_T1w_2mm", "10_allineate_T1head_2mm"])
def test_a_real_head_resembles_the_template(name: str) -> None:
    found = PrepareHead()(read_image(RAW / f"{name}.nii.gz"))

    assert found.steps["correlation"] > 0.75  # .78 and .81
    assert found.steps["brain_ml"] == pytest.approx(1500, rel=0.05)
    assert white_level(found.volume.astype(np.float32)) == pytest.approx(110, abs=1)
    assert not found.warnings
