"""The Dashboard's templates and files: what htmx may do in them, and what a page weighs."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path
from typing import Final

import pytest
from tests.architecture.source import SERVICES

STATIC: Final = SERVICES / "gateway" / "static"
TEMPLATES: Final = sorted((SERVICES / "gateway" / "templates" / "dashboard").glob("**/*.html"))
VENDORED: Final = {
    "htmx.js": "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
    "htmx-sse.js": "18ef2761356ec1fe0bb6d92612315b37517a7c1e9856b661c5ae81fef239d103",
}
"""SHA-256 of dist/htmx.min.js and dist/ext/hx-sse.min.js in npm's htmx.org 4.0.1."""
PAGE: Final = ("dashboard.css", "dashboard-icons.svg", "dashboard.js", "htmx.js", "htmx-sse.js")
"""The files that a page loads."""
MOST: Final = 35_000
"""Compressed bytes of these files: with a page of 25 kB, they stay below 60 kB."""
BANNED: Final = {
    "a handler in an attribute": r"\bhx-on|\son[a-z]+=",
    "an inline style": r"\sstyle=|<style",
    "an inline script": r"<script(?![^>]*\ssrc=)",
    "text that is not escaped": r"\|\s*safe\b|Markup\(",
    "an expression that htmx evaluates": r"""\bjs:|hx-trigger=["'][^"']*\[""",
    "the history cache": r"\bhx-(boost|history-cache)\b",
    "inheritance": r":inherited",
    "htmx's own confirmation": r"\bhx-confirm\b",
}
TAG: Final = re.compile(r"<(a|form|button|input|select)\b([^>]*\shx-(?:get|post)=[^>]*)>", re.S)
FORM: Final = re.compile(r"<form\b[^>]*method=\"post\".*?</form>", re.S)
FALLBACK: Final = {"a": "href=", "form": "action=", "button": "form", "input": "", "select": ""}
"""The attribute by which an element works without a script. Fields stand in a form."""


def faults(text: str) -> list[str]:
    """Returns what a template must not have."""
    found = [name for name, pattern in BANNED.items() if re.search(pattern, text)]
    found += [
        f"no way without a script: {match[0][:60]}"
        for match in TAG.finditer(text)
        if FALLBACK[match[1]] not in match[2]
    ]
    found += [
        f"no CSRF token: {match[0][:60]}"
        for match in FORM.finditer(text)
        if "csrf_field()" not in match[0]
    ]
    return found


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda file: file.stem)
def test_a_template_runs_under_a_strict_policy(template: Path) -> None:
    """Nothing in it needs `unsafe-inline`, forms carry a token, and links work without htmx."""
    assert faults(template.read_text()) == []


@pytest.mark.parametrize(
    "text",
    [
        '<a href="/x" hx-on:click="go()">x</a>',
        '<p style="color: red">x</p>',
        "<script>go()</script>",
        "{{ user.name|safe }}",
        '<a href="/x" hx-vals="js:{a: 1}">x</a>',
        '<a hx-get="/x">x</a>',
        '<form method="post" action="/x"><button>x</button></form>',
        '<button hx-confirm="Sure?">x</button>',
    ],
)
def test_the_rule_sees_a_fault(text: str) -> None:
    """Each kind of fault is found."""
    assert len(faults(text)) == 1


@pytest.mark.parametrize("name", VENDORED)
def test_htmx_is_the_version_that_was_checked(name: str) -> None:
    """The files are exactly those of the package."""
    assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == VENDORED[name]


def test_the_files_of_a_page_are_light() -> None:
    """What a first visit loads stays within its budget."""
    sizes = {name: len(gzip.compress((STATIC / name).read_bytes(), 9)) for name in PAGE}

    assert sum(sizes.values()) < MOST, sizes
