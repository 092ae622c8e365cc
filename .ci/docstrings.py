"""Checks that the first sentence of every docstring stands alone.

A docstring is read without its code: in a tooltip, in a list. A fragment such as "Of the column" or
"What they come to" says nothing there.
"""

import ast
import re
import sys
from pathlib import Path

FRAGMENT = re.compile(r"(What|Of|Who|Whose|How|Where|Whether|Which|When)\b")
PACKAGES = ("l2r", "models", "eval", "pipeline", "benchmarks")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def fragments(path: Path) -> list[str]:
    """List the docstrings of a file that begin like a fragment, as `file:line: text`."""
    nodes = (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, DOCUMENTED))
    found = ((n, ast.get_docstring(n) or "") for n in nodes)
    return [
        f"{path}:{n.body[0].lineno}: {text.splitlines()[0]}"
        for n, text in found
        if FRAGMENT.match(text)
    ]


if __name__ == "__main__":
    files = sorted(path for package in PACKAGES for path in Path(package).rglob("*.py"))
    lines = [line for path in files for line in fragments(path)]
    print(*lines, sep="\n", end="\n" if lines else "")
    print(f"{len(lines)} of the docstrings in {len(files)} files begin with a fragment")
    sys.exit(bool(lines))
