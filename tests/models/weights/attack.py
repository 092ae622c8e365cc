"""An object that runs a command when it is unpickled without care."""

import os
from pathlib import Path


class Attack:
    """Leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.trace}",)
