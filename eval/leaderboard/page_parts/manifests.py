"""The manifests that submissions came with, to read and to keep."""

from urllib.parse import quote

from eval.leaderboard.board import Board, BoardRow
from eval.leaderboard.page_parts.markup import Markup, element, section

EXPLANATION = "What each submission says of itself: its run, its weights and their hashes."


def manifests(board: Board) -> Markup:
    """The section; nothing where no submission has a manifest."""
    found = [_manifest(i, row) for i, row in enumerate(board.rows) if row.manifest]
    if not found:
        return Markup()
    return section("manifests", "Manifests", EXPLANATION, element("div", *found, class_="files"))


def _manifest(number: int, row: BoardRow) -> Markup:
    download = element(
        "a",
        "Download",
        href=f"data:application/json;charset=utf-8,{quote(row.manifest, safe='')}",
        download=f"{_file_name(row.name)}.manifest.json",
        aria_label=f"Download the manifest of {row.name}",
    )
    return element(
        "details",
        element("summary", element("bdi", row.name)),
        element("p", download),
        element("pre", row.manifest, tabindex=0, aria_label=f"Manifest of {row.name}"),
        id=f"manifest-{number}",
    )


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
