"""Checks that no modules import each other in a circle, inside any package."""

import sys
from graphlib import CycleError, TopologicalSorter

import grimp

PACKAGES = ("l2r", "models", "eval", "pipeline")


def main() -> int:
    """Sort all modules so that each comes after those that it imports."""
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=False)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        print("imports in a circle:", " <- ".join(error.args[1]))
        return 1
    print(f"no circle among the imports of {len(imports)} modules")
    return 0


if __name__ == "__main__":
    sys.exit(main())
