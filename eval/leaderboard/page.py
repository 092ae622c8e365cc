"""The leaderboard as one HTML text that needs no network, no server and no library.

Tables and plots are written here, so they can be read, printed and searched where scripts do not
run. The script beside it sorts, filters, switches between metrics and shows single numbers, which
it takes from the board, embedded as JSON. A content security policy forbids every other script and
every request, by the script's hash.
"""

import base64
import hashlib
from pathlib import Path
from string import Template

from eval.leaderboard.board import Board
from eval.leaderboard.page_parts.boxes import boxes
from eval.leaderboard.page_parts.duels import duels
from eval.leaderboard.page_parts.heat import heat
from eval.leaderboard.page_parts.manifests import manifests
from eval.leaderboard.page_parts.markup import Markup, element, linked
from eval.leaderboard.page_parts.standings import standings
from eval.leaderboard.page_parts.worst import worst

PARTS = Path(__file__).with_name("page_parts")
SCRIPTS = ("table.js", "panels.js", "steps.js", "data.js")

_LINKS = {
    "standings": "Standings",
    "cases": "Case by case",
    "structures": "Structures",
    "duels": "Who beats whom",
    "worst": "Worst cases",
    "manifests": "Manifests",
}
_IN_JSON = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})
"""What could end the script element that the JSON stands in."""


def render(board: Board) -> str:
    """The page of a board, UTF-8 when it is written to a file.

    Args:
        board: what to show; it may be empty, have published rows only, and lack numbers.
    """
    parts = {
        "standings": standings(board),
        "cases": boxes(board),
        "structures": heat(board),
        "duels": duels(board),
        "worst": worst(board),
        "manifests": manifests(board),
    }
    script = "\n".join((PARTS / name).read_text(encoding="utf-8") for name in SCRIPTS)
    return Template((PARTS / "page.html").read_text(encoding="utf-8")).substitute(
        title=element("title", f"{board.title}: leaderboard"),
        policy=_policy(script),
        style=(PARTS / "page.css").read_text(encoding="utf-8"),
        header=_header(board),
        links=_links([key for key, part in parts.items() if part]),
        sections=Markup("\n").join(part for part in parts.values() if part),
        data=_embedded(board),
        script=script,
    )


def _policy(script: str) -> str:
    """Nothing may be loaded or run but the page's own script."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = (
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        f"script-src 'sha256-{digest}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return "; ".join(rules)


def _embedded(board: Board) -> str:
    """The board as JSON that may stand in a script element."""
    return board.model_dump_json().translate(_IN_JSON)


def _header(board: Board) -> Markup:
    submissions = sum(row.kind == "submission" for row in board.rows)
    published = len(board.rows) - submissions
    facts = {
        "Task": board.task,
        "Rule": board.rule,
        "Source of the rule": linked(board.rule_source),
        "Submissions": f"{submissions}" + (f" and {published} published" if published else ""),
        "Cases": str(len(board.cases)),
        "Made": element("time", _moment(board.made), datetime=board.made),
    }
    pairs = (
        element("div", element("dt", name), element("dd", text)) for name, text in facts.items()
    )
    notes = (element("li", linked(note)) for note in board.notes)
    return element(
        "header",
        element("h1", board.title),
        element("p", linked(board.rule_text), class_="lede"),
        element("dl", *pairs),
        element("ul", *notes, class_="notes") if board.notes else "",
    )


def _links(keys: list[str]) -> Markup:
    links = [element("a", _LINKS[key], href=f"#{key}") for key in keys]
    return element("nav", *links, aria_label="Sections") if len(links) > 1 else Markup()


def _moment(iso: str) -> str:
    """Date and minute of an ISO time.

    Example:
        >>> _moment("2026-03-04T05:06:07+00:00")
        '2026-03-04 05:06 UTC'
    """
    date, _, time = iso.partition("T")
    return f"{date} {time[:5]} UTC" if time else iso
