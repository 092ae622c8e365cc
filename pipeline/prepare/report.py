"""Pages to look at for two raw heads, on the grid of the fixed one."""

from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from eval.inspection.command import ReportRequest, make_report
from l2r.disk import make_folder
from l2r.errors import ImageError
from l2r.formats.fields import write_field
from l2r.formats.table import format_of, strip_suffix
from l2r.formats.volumes import read_labels, write_volume
from l2r.pairs import Pair, Scan
from l2r.submission import field_names
from l2r.task import load_task
from l2r.transforms.base import SpatialTransform, TransformChain
from l2r.transforms.compose import as_displacement
from l2r.transforms.resample import Resampling
from pipeline.prepare.native import NativePair


def report_of_heads(pair: NativePair, prepared: SpatialTransform, output: Path) -> Path:
    """Make a report of two heads, and return its index.

    It shows the brains. The moving one is shown as the affine maps of both preparations bring it
    onto the fixed one, and the field is what is left.

    Args:
        pair: the heads.
        prepared: from the prepared fixed to the prepared moving image.
        output: the report's folder, new or an earlier report.

    Raises:
        L2RError: a head cannot be read, or the folder not be written to.
    """
    task, (fixed, _) = load_task("any"), pair.grids
    to_prepared = pair.fixed.transform.inverse()
    aligned = TransformChain([to_prepared, pair.moving.transform])
    rest = TransformChain([to_prepared, prepared, pair.fixed.transform])
    with TemporaryDirectory() as place:
        root = Path(place)
        scans = [
            _shown(Path(record.source), mask, Resampling(fixed, transform), root)
            for record, mask, transform in (
                (pair.fixed, pair.fixed_brain, TransformChain([])),
                (pair.moving, pair.moving_brain, aligned),
            )
        ]
        pairs = [Pair(*scans)]
        (name,) = field_names(task.field, pairs)
        make_folder(fields := root / "fields")
        write_field(fields / name, as_displacement(rest, fixed).vectors, fixed.affine)
        return make_report(ReportRequest([fields], task, pairs, root, output))


def _shown(source: Path, brain: Path, onto: Resampling, root: Path) -> Scan:
    """The brain of a head on another grid, in a file of the head's name."""
    stored = format_of(source).read(source, ImageError)
    array = stored.array.reshape(stored.array.shape[:3]) * (read_labels(brain) > 0)
    relative = PurePosixPath("images", f"{strip_suffix(source.name)}.nii.gz")
    make_folder((path := root / relative).parent)
    write_volume(path, onto(array, stored.affine), onto.grid.affine)
    return Scan(relative, path)
