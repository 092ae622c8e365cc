"""The viewer, NiiVue, as it comes with Regatta: one script, see `viewer/README.md`."""

from pathlib import Path

from isal import igzip

from l2r.disk import writing

VIEWER = Path(__file__).with_name("viewer")
PACKED = VIEWER / "niivue.js.gz"
LICENCES = VIEWER / "LICENCES.txt"
SCRIPT = "niivue.js"


def write_viewer(folder: Path) -> None:
    """Put the viewer and the licences of its parts into a folder.

    Raises:
        OutputError: they cannot be written.
    """
    for name, content in (
        (SCRIPT, igzip.decompress(PACKED.read_bytes())),
        (LICENCES.name, LICENCES.read_bytes()),
    ):
        with writing(folder / name) as file:
            file.write(content)
