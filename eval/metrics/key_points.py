"""Target registration error of key points, given as coordinates."""

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float
from scipy.ndimage import map_coordinates

from eval.metrics.base import Case, MetricBase, Result, Role
from eval.metrics.points import read_csv, read_slicer
from eval.truth import IMAGES, GroundTruth
from l2r.arrays import Spacing
from l2r.errors import DatasetError, ImageError
from l2r.formats.points import PointArray
from l2r.pairs import Pair

FieldInterpolation = Literal["cubic", "linear"]
ORDERS: dict[FieldInterpolation, Literal[1, 3]] = {"linear": 1, "cubic": 3}


def key_point_errors(
    fixed: PointArray,
    moving: PointArray,
    vectors: Float[np.ndarray, "x y z 3"],
    spacing: Spacing,
    order: Literal[1, 3],
) -> Float[np.ndarray, " points"]:
    """`|(f + u(f) - m) * spacing|` of each pair of points.

    Args:
        fixed: in voxels of the fixed image; the field counts as 0 outside the outermost voxels'
            centres, as for scipy.
        moving: the same points, in voxels of the moving image.
        vectors: displacements in voxels on the fixed grid.
        spacing: sides of a voxel of the moving image in mm.
        order: of the splines through the field, 1 or 3.

    Returns:
        Millimetres, lower is better.
    """
    steps = [
        map_coordinates(vectors[..., axis], fixed.T, output=np.float64, order=order)
        for axis in range(3)
    ]
    return np.linalg.norm((fixed + np.stack(steps, axis=-1) - moving) * spacing, axis=1)


class KeyPoints(MetricBase):
    """Mean distance of key points after registration.

    The field is read off at the fixed points by cubic splines, the default of the function that the
    scorer calls; their overshoot is part of the score. A point outside the grid is not moved. The
    spacing is the moving image's, whatever the fixed image's is.

    Source:
        `compute_tre` of github.com/MDL-UzL/L2R.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    metric: Literal["key_points"] = "key_points"
    unit: Literal["mm"] = "mm"
    folder: str = "landmarks"
    """In the folder `keypoints`, pairs of other modalities than 0000 to 0001 have one of their own,
    for instance `keypoints01` for 0001 to 0000."""
    files: Literal["csv", "fcsv", "mrk.json"] = "csv"
    """`csv`: voxels, one point per line; `fcsv`, `mrk.json`: a list of 3D Slicer."""
    interpolation: FieldInterpolation = "cubic"
    """Interpolation of the field; the scorer's is cubic."""

    def __call__(self, case: Case) -> Result:
        fixed, moving = self._points(case, "fixed"), self._points(case, "moving")
        if len(fixed) != len(moving):
            raise ImageError(
                f"{self._path(case, 'moving')}: {len(moving)} points, but "
                f"{self._path(case, 'fixed')} has {len(fixed)}; they must correspond"
            )
        spacing, order = case.spacing_mm("moving"), ORDERS[self.interpolation]
        errors = key_point_errors(fixed, moving, case.vectors, spacing, order)
        before = np.linalg.norm((fixed - moving) * spacing, axis=1)
        detailed = tuple(errors.tolist())
        return Result(float(errors.mean()), detailed, unregistered=float(before.mean()))

    def has_truth(self, pair: Pair, truth: GroundTruth) -> bool:
        return truth.has(pair, self._folder(pair), f".{self.files}")

    def _points(self, case: Case, role: Role) -> PointArray:
        path = self._path(case, role)
        return read_csv(path) if self.files == "csv" else read_slicer(path, case.path(role, IMAGES))

    def _path(self, case: Case, role: Role) -> Path:
        return case.path(role, self._folder(case.pair), f".{self.files}")

    def _folder(self, pair: Pair) -> str:
        """Folder of the points of a pair."""
        if self.folder != "keypoints":
            return self.folder
        try:
            modalities = pair.fixed.ids[1], pair.moving.ids[1]
        except DatasetError:  # names without numbers have no modality
            return self.folder
        if modalities[0] == modalities[1] or modalities == ("0000", "0001"):
            return self.folder
        return self.folder + "".join(str(number) for number in sorted(map(int, modalities)))
