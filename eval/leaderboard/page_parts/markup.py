"""HTML that cannot be broken by what people call their teams.

Every text that goes through `element` is escaped unless it is `Markup`, which only `element` and
`join` make. So a name is never HTML by accident.
"""

import re
from collections.abc import Iterable
from html import escape

Attribute = str | int | float | None
"""Truth values are numbers too."""
VOID = frozenset({"br", "col", "input", "link", "meta"})
DRAWN = frozenset({"circle", "line", "rect"})
"""SVG without content: a slash closes it."""
_URL = re.compile(r"((?:https?://|\bgithub\.com/)[^\s<>\"]+[^\s<>\".,;:)])")


class Markup(str):
    """HTML that is safe as it stands."""

    __slots__ = ()


def element(name: str, /, *children: str, **attributes: Attribute) -> Markup:
    """An element with its attributes and content.

    Args:
        name: of the element.
        children: `Markup` as it stands, other text escaped.
        attributes: a trailing underscore is dropped and others become hyphens; `None` and False
            are left out, True stands without a value.

    Example:
        >>> element("td", "a<b", class_="name", data_rank=1, hidden=False)
        '<td class="name" data-rank="1">a&lt;b</td>'
    """
    start = f"<{name}{''.join(map(_attribute, attributes.items()))}"
    if name in VOID:
        return Markup(f"{start}>")
    if name in DRAWN and not children:
        return Markup(f"{start}/>")
    return Markup(f"{start}>{join(children)}</{name}>")


def join(children: Iterable[str]) -> Markup:
    """Pieces after each other; those that are not `Markup` are escaped."""
    return Markup("".join(c if isinstance(c, Markup) else escape(c) for c in children))


def hidden(text: str) -> Markup:
    """For those who listen to the page instead of looking at it."""
    return element("span", text, class_="spoken")


def linked(text: str) -> Markup:
    """Text whose web addresses are links; those of GitHub without the protocol too."""
    parts = _URL.split(text)
    return join(_link(part) if index % 2 else part for index, part in enumerate(parts))


def region(label: str, *children: str) -> Markup:
    """What may be wider than the screen: it scrolls by itself, with the keyboard too."""
    return element("div", *children, class_="scroll", role="region", tabindex=0, aria_label=label)


def section(key: str, title: str, explanation: str, *children: str) -> Markup:
    """A part of the page, with what it shows in words."""
    return element(
        "section",
        element("h2", title, id=f"{key}-title"),
        element("p", explanation, class_="hint"),
        *children,
        id=key,
        aria_labelledby=f"{key}-title",
    )


def switch(key: str, names: Iterable[str]) -> Markup:
    """Radio buttons that show one of the panels of `panel(key, ...)`; none for a single one."""
    buttons = [
        element(
            "label",
            element("input", type="radio", name=key, value=str(i), checked=not i),
            element("span", name),
        )
        for i, name in enumerate(names)
    ]
    if len(buttons) < 2:
        return Markup()
    legend = element("legend", "Metric", class_="spoken")
    return element("fieldset", legend, *buttons, class_="switch control", data_switch=key)


def panel(key: str, number: int, *children: str) -> Markup:
    """What the `number`th button of `switch(key, ...)` shows."""
    return element("div", *children, class_="panel", data_panel=f"{key}-{number}")


def _link(address: str) -> Markup:
    href = address if address.startswith("http") else f"https://{address}"
    return element("a", address, href=href, rel="noreferrer")


def _attribute(item: tuple[str, Attribute]) -> str:
    name, value = item
    name = name.removesuffix("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
