"""On what a number was measured."""

import platform
import shutil
import subprocess
from pathlib import Path

import torch


def describe() -> str:
    """One line: processor, threads, GPU, versions, commit."""
    commit = ""
    if shutil.which("git"):
        words = ["git", "rev-parse", "--short", "HEAD"]
        commit = subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
    parts = [_processor(), f"{torch.get_num_threads()} threads"]
    if torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return ", ".join([*parts, f"torch {torch.__version__}", f"commit {commit or 'unknown'}"])


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    rows = info.read_text().splitlines() if info.exists() else []
    names = [row.partition(":")[2].strip() for row in rows if row.startswith("model name")]
    return names[0] if names else platform.processor()
