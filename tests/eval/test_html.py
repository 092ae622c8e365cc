"""Templates of pages of one file: escaping, links, embedded JSON, the content policy."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError
from markupsafe import Markup

from eval.html import SHARED, content_policy, embedded_json, environment, linked

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")))
PARAGRAPH = environment(SHARED).from_string('<p title="{{ title }}">{{ text }}</p>')


class Reader(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.title = "", None
        self.tags: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.title = dict(attrs).get("title")

    def handle_data(self, data: str) -> None:
        self.text += data


@given(TEXT, TEXT)
def test_any_text_is_read_back_as_it_was(text: str, title: str) -> None:
    read = Reader(PARAGRAPH.render(text=text, title=title))
    assert (read.text, read.title, read.tags) == (text, title, ["p"])


def test_markup_is_not_escaped_again() -> None:
    inner = Markup("<b>a &amp; b</b>")
    assert PARAGRAPH.render(text=inner, title="<") == '<p title="&lt;"><b>a &amp; b</b></p>'


def test_a_missing_variable_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="'title' is undefined"):
        PARAGRAPH.render(text="a")


def test_a_pages_own_templates_come_before_the_shared_ones(tmp_path: Path) -> None:
    (tmp_path / "macros.html").write_text("own")
    made = environment(tmp_path)
    assert made.get_template("macros.html").render() == "own"
    assert "<!DOCTYPE html>" in made.get_template("base.html").render(
        policy="", style="", script=""
    )


@pytest.mark.parametrize(("names", "buttons"), [([], 0), (["one"], 0), (["one", "<two>"], 2)])
def test_a_switch_needs_a_choice(names: list[str], buttons: int) -> None:
    source = '{% from "macros.html" import switch %}{{ switch("key", names) }}'
    read = Reader(environment(SHARED).from_string(source).render(names=names))
    assert read.tags.count("input") == buttons
    assert [name for name in names if name in read.text] == names * (buttons > 0)


def test_web_addresses_become_links_and_nothing_else_does() -> None:
    text = linked("see https://a.org/b?c=1&d=2, or javascript:alert(1) <i>")
    assert text == (
        'see <a href="https://a.org/b?c=1&amp;d=2" rel="noreferrer">https://a.org/b?c=1&amp;d=2</a>'
        ", or javascript:alert(1) &lt;i&gt;"
    )


def test_addresses_of_github_need_no_protocol() -> None:
    link = '<a href="https://github.com/a/b" rel="noreferrer">github.com/a/b</a>'
    assert linked("github.com/a/b, README.md") == f"{link}, README.md"
    assert linked("notgithub.com/a/b") == "notgithub.com/a/b"


@given(st.text())
def test_embedded_json_is_the_same_and_cannot_end_its_element(text: str) -> None:
    made = embedded_json(json.dumps({text: text}, ensure_ascii=False))
    assert json.loads(made) == {text: text}
    assert not set(made) & set("<>&\u2028\u2029")


def test_the_policy_has_the_scripts_hash() -> None:
    """The hash is `openssl dgst -sha256 -binary | base64` of the three bytes."""
    assert "script-src 'sha256-LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ='" in content_policy(
        "hello"
    )
