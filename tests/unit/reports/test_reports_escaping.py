"""No template shows what came from a backup as HTML. Names and messages of a backup are hostile."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from pytest_pgrestore.model.version import PACKAGE
from pytest_pgrestore.reports.html.environment import template_environment

TEMPLATES = sorted(PACKAGE.rglob("*.j2"))

UNESCAPED = re.compile(r"\|\s*safe\b|\bautoescape\b|\{%[-+]?\s*raw\b|\|\s*xmlattr\b|\bMarkup\b")
"""What takes the escaping away, or away from a part. There is no use of it that has a reason."""


def calls(path: Path, name: str) -> list[ast.Call]:
    """Return the calls of `name`, with or without its module, in a file."""
    return [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and (getattr(node.func, "id", None) == name or getattr(node.func, "attr", None) == name)
    ]


def test_every_environment_of_jinja_escapes() -> None:
    """Jinja itself escapes nothing unless told."""
    found = [
        (path, {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords})
        for path in PACKAGE.rglob("*.py")
        for name in ("Environment", "Template", "NativeEnvironment", "SandboxedEnvironment")
        for call in calls(path, name)
    ]

    assert found
    assert [path for path, given in found if given.get("autoescape") != "True"] == []


def test_what_is_shown_is_escaped() -> None:
    """As a text, as an attribute, through our filters, and joined."""
    environment = template_environment()
    source = '<p title="{{ x }}">{{ x }}{{ [x]|join }}{{ x|capped }}{{ x|href }}</p>'

    page = environment.from_string(source).render(x="\"'><script>")

    assert "<script" not in page
    assert page.count('"') == 2


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_takes_the_escaping_away(path: Path) -> None:
    """The style sheet is our own file, and the one thing that `render` passes as HTML."""
    assert UNESCAPED.findall(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source", ["{{ x|safe }}", "{{ x | safe }}", "{% autoescape false %}", "{%- raw %}"]
)
def test_the_search_finds_them(source: str) -> None:
    """Otherwise the test above proves nothing."""
    assert UNESCAPED.search(source)


def test_one_text_only_is_html_already() -> None:
    """`Markup` is a promise. The style sheet of the package keeps it."""
    found = {
        str(path.relative_to(PACKAGE)): [ast.unparse(call) for call in calls(path, "Markup")]
        for path in PACKAGE.rglob("*.py")
        if calls(path, "Markup")
    }

    assert found == {"reports/html/report.py": ["Markup(css)"]}
