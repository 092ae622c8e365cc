"""ITK's and ANTs' affine transforms: text (`.txt`, `.tfm`) and MATLAB 4 (`.mat`), LPS millimetres.

`y = M (x - c) + t + c`, with the matrix `M` and `t` among the parameters, and the centre `c` fixed.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from scipy.io import loadmat, savemat

from l2r.disk import replacing
from l2r.errors import TransformError
from l2r.formats.affine import Affine
from l2r.formats.transforms.base import PairGrids, TransformFormat, one_matrix
from l2r.formats.transforms.simpleitk import read_with_simpleitk
from l2r.schema import read_text
from l2r.transforms.base import AffineTransform, SpatialTransform, TransformChain
from l2r.transforms.grids import LPS

_MATRICES = ("AffineTransform", "MatrixOffsetTransformBase")
_KIND = "AffineTransform_double_3_3"
_TEXT = """\
#Insight Transform File V1.0
#Transform 0
Transform: {kind}
Parameters: {numbers}
FixedParameters: 0 0 0
"""
_BLOCK = re.compile(
    r"^Transform:\s*(\w+)\s*\nParameters:\s*(.*?)\s*\nFixedParameters:[ \t]*(.*?)\s*$", re.MULTILINE
)


class ItkAffine(TransformFormat):
    """Matrices of ITK; other kinds of its transforms, for instance Euler angles, by SimpleITK."""

    dialect: ClassVar[str] = "itk"
    suffixes: ClassVar[tuple[str, ...]] = (".mat", ".txt", ".tfm")

    def read(self, path: Path, grids: PairGrids, /) -> SpatialTransform:
        blocks = _matlab(path) if path.suffix == ".mat" else _text(path)
        if not all(kind.startswith(_MATRICES) for kind, _, _ in blocks):
            return read_with_simpleitk(path, grids)
        # A file lists a chain as ITK keeps it: the last is the first that a point meets.
        parts = [_transform(path, numbers, fixed) for _, numbers, fixed in reversed(blocks)]
        return parts[0] if len(parts) == 1 else TransformChain(parts)

    def write(self, path: Path, parts: Sequence[SpatialTransform], _grids: PairGrids, /) -> None:
        matrix = LPS @ one_matrix(parts, path).matrix @ LPS
        parameters, centre = np.append(matrix[:3, :3], matrix[:3, 3]), np.zeros(3)
        with replacing(path) as place:
            if path.suffix == ".mat":
                columns = {_KIND: parameters[:, None], "fixed": centre[:, None]}
                savemat(str(place), columns, format="4")
            else:
                numbers = " ".join(f"{number:.17g}" for number in parameters)
                place.write_text(_TEXT.format(kind=_KIND, numbers=numbers))


_Block = tuple[str, Float[np.ndarray, " _"], Float[np.ndarray, " _"]]


def _text(path: Path) -> list[_Block]:
    text = read_text(path, TransformError)
    try:
        return _some(
            [
                (kind, np.array(numbers.split(), np.float64), np.array(fixed.split(), np.float64))
                for kind, numbers, fixed in _BLOCK.findall(text)
            ]
        )
    except ValueError:
        raise TransformError(
            f"{path}: not a transform of ITK: '#Insight Transform File' with Transform, Parameters "
            "and FixedParameters is expected"
        ) from None


def _matlab(path: Path) -> list[_Block]:
    if not path.is_file():
        raise TransformError(f"{path}: no such file")
    try:
        found = loadmat(path)
        fixed = np.ravel(found.pop("fixed")).astype(np.float64)
        named = [(name, value) for name, value in found.items() if not name.startswith("__")]
        return _some([(name, np.ravel(value).astype(np.float64), fixed) for name, value in named])
    except Exception as cause:  # noqa: BLE001 - scipy's reader fails in many ways
        raise TransformError(
            f"{path}: not a .mat of ITK or ANTs: {' '.join(str(cause).split())[:80]}"
        ) from None


def _some(blocks: list[_Block]) -> list[_Block]:
    if not blocks:
        raise ValueError("no transform")
    return blocks


def _transform(
    path: Path, numbers: Float[np.ndarray, " _"], centre: Float[np.ndarray, " _"]
) -> AffineTransform:
    if numbers.size != 12 or centre.size != 3:
        raise TransformError(f"{path}: {numbers.size} parameters, but a 3-D matrix has 12")
    return AffineTransform(LPS @ _matrix(path, numbers, centre) @ LPS)


def _matrix(
    path: Path, numbers: Float[np.ndarray, " 12"], centre: Float[np.ndarray, " 3"]
) -> Affine:
    matrix = np.eye(4)
    matrix[:3, :3] = numbers[:9].reshape(3, 3)
    matrix[:3, 3] = numbers[9:] + centre - matrix[:3, :3] @ centre
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:3, :3])) < 1e-9:
        raise TransformError(f"{path}: the matrix is not finite or cannot be inverted")
    return matrix
