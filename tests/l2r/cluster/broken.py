"""Makes every new process of multiprocessing, and so a worker, end before it has begun."""

from pathlib import Path

MESSAGE = "libtorch.so.2: cannot open shared object file"


def write_broken_start(folder: Path) -> None:
    """Write what breaks all workers that have the folder on their path."""
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        "if any('spawn_main' in word or 'dask_worker' in word for word in sys.orig_argv):\n"
        f"    raise SystemExit({MESSAGE!r})\n"
    )
