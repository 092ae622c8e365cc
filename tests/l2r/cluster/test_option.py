"""The option `--cluster`: what is refused before anything starts."""

import subprocess
import sys
from pathlib import Path

import pytest

from l2r.cluster.local import local_count
from l2r.cluster.option import open_workers
from l2r.errors import ClusterError, ConfigError

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("text", "count"),
    [("local:1", 1), ("local:16", 16), ("tcp://host:8786", None), ("a.toml", None)],
)
def test_the_number_of_local_workers_is_read(text: str, count: int | None) -> None:
    assert local_count(text) == count


@pytest.mark.parametrize("text", ["local", "local:", "local:0", "local:-1", "local:1x", "local: 2"])
def test_a_bad_number_of_local_workers_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="must look like local:4"):
        open_workers(text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: no such file"):
        open_workers(str(tmp_path / "none.toml")).__enter__()


def test_a_scheduler_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("l2r.cluster.opening.ANSWER_S", 0.5)
    with pytest.raises(ClusterError, match=r"tcp://127\.0\.0\.1:1: no scheduler answers") as raised:
        open_workers("tcp://127.0.0.1:1").__enter__()
    assert "\n" not in str(raised.value)


def test_where_dask_is_not_installed_the_error_says_how_to_get_it() -> None:
    code = (
        "import sys; sys.modules['distributed'] = None\n"
        "from l2r.cluster.option import open_workers\n"
        "from l2r.errors import ConfigError\n"
        "try: open_workers('local:2')\n"
        "except ConfigError as error: print(error)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    expected = "pip install 'regatta[cluster]'"
    assert ran.stdout.strip().endswith(f"dask.distributed is not installed; {expected}")


def test_ctrl_c_means_what_it_meant_with_dask_loaded() -> None:
    """dask-jobqueue takes it over when it is imported."""
    code = (
        "import signal; before = signal.getsignal(signal.SIGINT)\n"
        "from l2r.cluster import opening\n"
        "assert signal.getsignal(signal.SIGINT) is before\n"
        "assert opening._kind('SLURMCluster').__name__ == 'SLURMCluster'\n"
        "assert signal.getsignal(signal.SIGINT) is before\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
