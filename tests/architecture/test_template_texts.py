"""Every text of a template of the Dashboard is in the catalogues, and every time is shown the same way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.architecture.test_dashboard_templates import TEMPLATES

TRANSLATED: Final = re.compile(r"\{%-?\s*trans\b.*?\{%-?\s*endtrans\s*-?%\}", re.S)
WORDS: Final = re.compile(r"[^\W\d_]{2,}")
SPOKEN: Final = re.compile(r'\b(?:aria-label|title|placeholder|alt)="([^"]*)"')
"""Attributes that people read or hear."""
MACHINE: Final = re.compile(r"<(code|kbd|pre)\b[^>]*>.*?</\1>", re.S)
CATALOGUE: Final = re.compile(
    r"""(?<!\w)(?:_\(|ngettext\((?:"[^"]*"|'[^']*'), )(?:"[^"]*"|'[^']*')"""
)
SENTENCE: Final = re.compile(r"""["']([A-Z][a-z]+ [^"']*)["']""")
"""A text inside an expression."""
SAME_EVERYWHERE: Final = {
    "Aero2",
    "CSV",
    "Ctrl K",
    "NDJSON",
    "PostgreSQL",
    "-----BEGIN PRIVATE KEY-----",
    "/oauth2/authorize?client_id=…",
    "login.example.com",
}
"""Names, keys and examples, which no language changes."""
MOMENT: Final = re.compile(r"\b\w+\.\w+_(?:at|since|until)\b")
SHOWN: Final = re.compile(r"(?:\btime|language\.exact)\([^)]*\)|\w+\.\w+\.isoformat\(\)")


def untranslated(template: str) -> Iterator[str]:
    """Yields the texts of a template that are in no catalogue."""
    text = TRANSLATED.sub("", re.sub(r"\{#.*?#\}", "", template, flags=re.S))
    for expression in re.findall(r"\{\{.*?\}\}", text, re.S):
        yield from SENTENCE.findall(CATALOGUE.sub("", expression))
    text = re.sub(r"\{% set (\w+) %\}.*?\{% endset %\}", "", text)
    text = re.sub(r"\{% block width %\}.*?\{% endblock %\}", "", text)
    text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", text, flags=re.S)
    attributes = SPOKEN.findall(text)
    visible = re.sub(r"<[^>]*>", "\n", MACHINE.sub("", text)).split("\n")
    for words in (one.strip(" –·:") for one in (*attributes, *visible)):
        is_attribute = words.startswith("aria-")  # of a macro that writes a part of a tag
        if WORDS.search(words) and words not in SAME_EVERYWHERE and not is_attribute:
            yield words


def bare_times(template: str) -> list[str]:
    """Returns the moments that a template writes without the zone and the language of the reader."""
    written = re.findall(r"\{\{.*?\}\}|\{% trans .*?%\}", template, re.S)
    return [moment for each in written for moment in MOMENT.findall(SHOWN.sub("", each))]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda file: file.stem)
def test_every_text_is_in_the_catalogues(template: Path) -> None:
    """No word on a page is English in every language."""
    assert list(untranslated(template.read_text())) == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda file: file.stem)
def test_every_time_is_in_the_zone_of_the_reader(template: Path) -> None:
    """A moment is written by the macro for times, or exactly with its zone."""
    assert bare_times(template.read_text()) == []


@pytest.mark.parametrize(
    "text",
    [
        "<p>Nothing here</p>",
        '<button aria-label="Close">x</button>',
        "{{ kit.note('Saved now.') }}",
        '{{ kit.empty("key", "No keys yet", _("You need one.")) }}',
    ],
)
def test_the_rule_sees_an_english_text(text: str) -> None:
    """Text, attributes and arguments of macros are found."""
    assert len(list(untranslated(text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "<p>{{ _('Nothing here') }}</p>",
        "{% trans name=user.name|isolate %}Delete {{ name }}{% endtrans %}",
        "<code>client_id</code> <kbd>Ctrl K</kbd>",
    ],
)
def test_the_rule_leaves_a_translated_text(text: str) -> None:
    """Texts of the catalogues and words for machines are left alone."""
    assert list(untranslated(text)) == []


def test_the_rule_sees_a_bare_time() -> None:
    """A moment as Python writes it is found; one of the macro is not."""
    assert bare_times("{{ user.created_at }}") == ["user.created_at"]
    assert bare_times("{% trans when=key.expires_at %}") == ["key.expires_at"]
    assert bare_times("{{ kit.time(user.created_at) }}") == []
