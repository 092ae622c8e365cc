"""One node's Slurm of Debian's packages, for the time of some tests; it needs root."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONFIG = """
ClusterName=regatta
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
MailProg=/bin/true
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "sinfo")
DAEMONS = ("slurmd", "slurmctld", "munged")


def lacking() -> str | None:
    """The reason why Slurm cannot be started here, if there is one."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} missing: apt-get install slurm-wlm munge"
    return None if os.getuid() == 0 else "Slurm's daemons want to be started as root"


@contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """The environment in which sbatch finds a Slurm of its own, with a partition `main`."""
    _write_config(folder)
    environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}
    try:
        subprocess.run(_munged(folder), check=True)
        subprocess.run(["slurmctld", "-f", folder / "slurm.conf"], check=True, env=environment)
        node = ["slurmd", "-f", folder / "slurm.conf", "-N", _host()]
        subprocess.run(node, check=True, env=environment)
        _wait_for_the_node(environment)
        yield environment
    finally:
        for daemon in DAEMONS:
            _stop(folder / f"{daemon}.pid")


def _write_config(folder: Path) -> None:
    for name in ("state", "spool"):
        (folder / name).mkdir()
    folder.chmod(0o755)
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o600)
    text = CONFIG.format(
        host=_host(), folder=folder, port=free_port(), node_port=free_port(), cores=os.cpu_count()
    )
    (folder / "slurm.conf").write_text(text)


def _munged(folder: Path) -> list[str]:
    return [
        *("munged", "--force", f"--key-file={folder}/munge.key"),
        *(f"--socket={folder}/munge.socket", f"--pid-file={folder}/munged.pid"),
        *(f"--log-file={folder}/munged.log", f"--seed-file={folder}/munge.seed"),
    ]


def _wait_for_the_node(environment: dict[str, str]) -> None:
    end = time.monotonic() + 60
    while "idle" not in (found := _sinfo(environment)):
        assert time.monotonic() < end, found
        time.sleep(0.5)


def _sinfo(environment: dict[str, str]) -> str:
    ran = subprocess.run(
        ["sinfo", "--noheader"], env=environment, capture_output=True, text=True, check=False
    )
    return ran.stdout + ran.stderr


def _stop(pid_file: Path) -> None:
    if pid_file.exists():
        os.kill(int(pid_file.read_text()), signal.SIGTERM)


def _host() -> str:
    return socket.gethostname().partition(".")[0]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
