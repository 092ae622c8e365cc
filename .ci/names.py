"""Checks that a public class, or a name of a type, means one thing in all packages."""

import ast
import sys
from collections import defaultdict
from pathlib import Path

PACKAGES = ("l2r", "models", "eval", "pipeline")


def defined(source: str) -> set[str]:
    """Names of the module's classes and of its types, which are written like classes."""
    names = set()
    for node in ast.parse(source).body:
        match node:
            case ast.ClassDef(name=name):
                names.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                if name[0].isupper() and not name.isupper():
                    names.add(name)
    return {name for name in names if not name.startswith("_")}


def main() -> int:
    """List every name that two files define."""
    files = defaultdict(list)
    for package in PACKAGES:
        for path in Path(package).rglob("*.py"):
            for name in defined(path.read_text(encoding="utf-8")):
                files[name].append(str(path))
    twice = {name: paths for name, paths in files.items() if len(paths) > 1}
    for name, paths in sorted(twice.items()):
        print(f"{name} is defined in {' and in '.join(paths)}")
    print(f"{len(twice)} of {len(files)} public names of types are defined twice")
    return 1 if twice else 0


if __name__ == "__main__":
    sys.exit(main())
