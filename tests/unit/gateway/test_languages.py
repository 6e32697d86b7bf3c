"""The right language is chosen, and every catalogue is complete."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from gateway.pages.languages import FOLDER, OFFERED, first_of, language

ROOT = Path(__file__).parents[3]
PLACE = re.compile(r"%\((\w+)\)[sd]|\{(\w+)\}")
TRANSLATED = [code for code in OFFERED if code != "en"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Returns every text of the pages, as `pybabel extract` finds them."""
    target = tmp_path_factory.mktemp("words") / "messages.pot"
    command = [sys.executable, "-m", "babel.messages.frontend", "-q", "extract", "-F", "babel.cfg"]
    keywords = ["-k", "translate", "-k", "N_", "-k", "count:1,2"]
    subprocess.run([*command, *keywords, "-o", str(target), "."], check=True, cwd=ROOT)
    with target.open("rb") as found:
        return {_key(entry.id) for entry in read_po(found) if entry.id}


def _key(id: str | tuple[str, ...] | list[str]) -> str:
    return id if isinstance(id, str) else id[0]


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_catalogue_is_complete(code: str, source: set[str]) -> None:
    """Every text has a translation, and no translation is left over."""
    with (FOLDER / code / "LC_MESSAGES" / "messages.po").open("rb") as found:
        entries = {_key(entry.id): entry for entry in read_po(found, locale=code) if entry.id}

    assert set(entries) == source, "run `make words`, then translate what is empty"
    assert [key for key, entry in entries.items() if not all(_forms(entry.string or ""))] == []


@pytest.mark.parametrize("code", TRANSLATED)
def test_places_for_values_are_kept(code: str) -> None:
    """A translation has exactly the placeholders of the text."""
    with (FOLDER / code / "LC_MESSAGES" / "messages.po").open("rb") as found:
        for entry in read_po(found, locale=code):
            if entry.id:
                wanted = set(PLACE.findall(_forms(entry.id)[-1]))
                for form in _forms(entry.string or ""):
                    assert set(PLACE.findall(form)) == wanted


def _forms(text: str | tuple[str, ...] | list[str]) -> list[str]:
    return [text] if isinstance(text, str) else list(text)


@pytest.mark.parametrize(
    ("wishes", "code"),
    [
        (("de",), "de"),
        (("de-AT",), "de"),
        (("fr fr-CA de en",), "de"),
        (("fr, de;q=0.5, en;q=0.8",), "en"),
        (("fr;q=1, de;q=0",), None),
        ((None, "", "de_DE"), "de"),
        (("fr", "en"), "en"),
        (("*",), None),
        (("de;q=x", "\x00", "-" * 1000), None),
    ],
)
def test_the_first_wish_we_have(wishes: tuple[str | None, ...], code: str | None) -> None:
    """The first supported language of the header is chosen."""
    assert first_of(*wishes) == code


def test_numbers_have_forms() -> None:
    """Singular and plural differ, in German too."""
    one, many = (
        "Too many attempts. Try again in %(num)d second.",
        "Too many attempts. Try again in %(num)d seconds.",
    )

    assert "in 1 second." in language("en").count(one, many, 1)
    assert "in 2 Sekunden noch" in language("de").count(one, many, 2)
