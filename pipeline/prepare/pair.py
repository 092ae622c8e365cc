"""Registration of two raw heads: both prepared, registered, and the result in their own spaces."""

import json
from dataclasses import dataclass
from pathlib import Path

from l2r.console import progress
from l2r.disk import writing
from l2r.errors import ConfigError
from pipeline.prepare.folder import SHEET, Head, PrepareFolder
from pipeline.prepare.native import NativePair
from pipeline.prepare.record import read_record
from pipeline.prepare.report import report_of_heads
from pipeline.prepare.sheet import write_sheet
from pipeline.register.registration import Registration
from pipeline.workdir import open_folder


@dataclass(frozen=True)
class RawPair:
    """Two heads as they come from a scanner."""

    fixed: Path
    moving: Path
    output: Path

    def __call__(self, config: str | None, device: str) -> str:
        """Prepare both, register them, and write everything.

        Args:
            config: run file, or its name; else by the contrasts of both.
            device: `auto`, `cpu`, `cuda` or `cuda:n`.

        Returns:
            A line about the outcome.

        Raises:
            L2RError: an image cannot be prepared, or nothing can be written.
        """
        heads = [Head(self.fixed), Head(self.moving)]
        if heads[0].name == heads[1].name:
            raise ConfigError(f"{self.moving}: is called like the fixed image; rename one of them")
        folder = PrepareFolder(open_folder(self.output / "prepared"))
        with progress(2, "prepare") as advance:
            for head in heads:
                if not folder.is_done(head):
                    folder.one(head)
                advance(str(head.image))
        one, other = (folder.path(head) for head in heads)
        write_sheet(self.output / SHEET, [one, other])
        pair = NativePair.of(one, other)
        t1 = all(read_record(path).steps["t1"] for path in (one, other))
        chosen = config or ("t1_default" if t1 else "any_mind")
        task = "lumir24" if t1 else "any"
        found = Registration.from_config(chosen, task=task, device=device)(one, other)
        residual = pair.write(found.transform, self.output)
        pages = report_of_heads(pair, found.transform, self.output / "report")
        report = {
            "fixed": pair.fixed.model_dump(mode="json"),
            "moving": pair.moving.model_dump(mode="json"),
            "config": chosen,
            "seconds": dict(found.seconds),
            "warnings": list(found.warnings),
            "residual": str(residual),
        }
        with writing(self.output / "report.json") as file:
            file.write((json.dumps(report, indent=2) + "\n").encode())
        return f"{self.output}: registered by {chosen}; inverse: {residual}\nlook at {pages}"
