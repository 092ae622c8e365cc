"""HTML pages of one file that need no network: templates with escaping, and a policy for browsers.

`templates/` has what such pages share, `base.html` and `macros.html`; a page brings its own folder.
"""

import base64
import hashlib
import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

SHARED = Path(__file__).with_name("templates")
_URL = re.compile(r"((?:https?://|\bgithub\.com/)[^\s<>\"]+[^\s<>\".,;:)])")
_BESIDE = " 'self' file:"
"""Sources of scripts beside a page, on a server and in a folder."""
_IN_JSON = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})
"""Characters that could end the script element in which the JSON stands."""


def environment(folder: Path) -> Environment:
    """The templates of a folder and the shared ones: every text is escaped, none may be missing."""
    made = Environment(
        loader=FileSystemLoader([folder, SHARED]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["linked"] = linked
    return made


def shared_text(name: str) -> str:
    """A style or a script that pages share: `look.css` all of them, `sort.js` those with tables."""
    return (SHARED / name).read_text(encoding="utf-8")


def linked(text: str) -> Markup:
    """Text whose web addresses are links; those of GitHub without the protocol too."""
    parts = _URL.split(text)
    return Markup("").join(_link(part) if i % 2 else part for i, part in enumerate(parts))


def content_policy(script: str, *, files: bool = False) -> str:
    """A content security policy: nothing may be loaded or run but the page's own script.

    Args:
        script: in the page.
        files: scripts that lie beside the page may be loaded too, and may use what is in them.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = (
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        f"script-src 'sha256-{digest}'{_BESIDE if files else ''}",
        f"img-src data:{' blob:' if files else ''}",
        *(("connect-src data: blob:", "worker-src blob:") if files else ()),
        "base-uri 'none'",
        "form-action 'none'",
    )
    return "; ".join(rules)


def embedded_json(text: str) -> Markup:
    """JSON that may stand in a script element."""
    return Markup(text.translate(_IN_JSON))  # noqa: S704 - without < and & nothing can end it


def trusted(text: str) -> Markup:
    """Text of a file of this repository, such as a script or a style."""
    return Markup(text)  # noqa: S704


def _link(address: str) -> Markup:
    href = address if address.startswith("http") else f"https://{address}"
    return Markup('<a href="{}" rel="noreferrer">{}</a>').format(href, address)
