"""The right language is chosen, and every catalogue is complete."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel import dates
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from gateway.pages import times
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


@pytest.mark.parametrize("code", OFFERED)
@given(seconds=st.integers(-(10**9), 10**9).filter(bool))
def test_how_long_ago_is_said_as_babel_says_it(code: str, seconds: int) -> None:
    """What is kept in memory changes no word."""
    span = timedelta(seconds=seconds)

    assert times.ago(code, seconds) == dates.format_timedelta(span, add_direction=True, locale=code)


@pytest.mark.parametrize("code", OFFERED)
@given(seconds=st.integers(0, 4 * 10**9))
def test_an_exact_time_is_written_as_babel_writes_it(code: str, seconds: int) -> None:
    """The format is that of the language, with the name of the zone."""
    when = datetime.fromtimestamp(seconds, UTC)
    zone = ZoneInfo("America/New_York")
    local = dates.format_datetime(when, "medium", tzinfo=zone, locale=code)

    assert language(code).exact(when) == f"{dates.format_datetime(when, locale=code)} UTC"
    assert language(code).exact(when, zone) in (f"{local} EST", f"{local} EDT")


@pytest.mark.parametrize(
    ("zone", "name"),
    [("Europe/Berlin", "CET"), ("Asia/Kathmandu", "UTC+05:45"), ("America/Sao_Paulo", "UTC-03:00")],
)
def test_a_time_names_its_zone(zone: str, name: str) -> None:
    """A zone without an abbreviation is named by its offset."""
    written = language("en").exact(datetime(2026, 1, 2, 15, 4, tzinfo=UTC), ZoneInfo(zone))

    assert written.endswith(f" {name}")
