"""The words of the pages, in every language we have; and which one a visitor reads."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Final

from babel import Locale, numbers
from babel.support import NullTranslations

from common.bidi import isolate
from common.catalogues import read_catalogue
from gateway.pages import times

FOLDER: Final = Path(__file__).parent.parent / "locales"
SOURCE: Final = "en"
OFFERED: Final = ("en", "de")
NOW: Final = timedelta(minutes=2)
ITEM: Final = re.compile(
    r"\s*([A-Za-z]{1,8}(?:[-_][A-Za-z0-9]{1,8})*)\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*"
)


@dataclass(frozen=True)
class Language:
    """A catalogue and the habits of its readers."""

    code: str
    locale: Locale
    words: NullTranslations = field(repr=False)

    @property
    def direction(self) -> str:
        return self.locale.text_direction

    @property
    def name(self) -> str:
        return self.locale.language_name or self.code

    def translate(self, text: str, **values: object) -> str:
        """The text with its values, each of which is isolated if it has another direction."""
        said = self.words.gettext(text)
        return (
            said % {name: self.isolate(value) for name, value in values.items()} if values else said
        )

    def isolate(self, value: object) -> object:
        """Markup isolates itself."""
        return isolate(value, self.direction) if type(value) is str else value

    def count(self, one: str, many: str, number: int) -> str:
        return self.words.ngettext(one, many, number) % {"num": number}

    def ago(self, when: datetime, now: datetime) -> str:
        """How long ago, as one would say it: "just now", "3 hours ago"."""
        if abs(now - when) < NOW:
            return self.translate("just now")
        return times.ago(self.code, (when - now).total_seconds())

    def exact(self, when: datetime, zone: tzinfo = UTC) -> str:
        """The date and time in a zone, with the name of the zone."""
        return times.exact_time(self.code).write(when, zone)

    def number(self, value: int) -> str:
        return str(numbers.format_decimal(value, locale=self.locale))


@lru_cache(maxsize=len(OFFERED))
def language(code: str) -> Language:
    """One of OFFERED."""
    return Language(code, Locale.parse(code), _words(code))


def _words(code: str) -> NullTranslations:
    if code == SOURCE:
        return NullTranslations()
    return read_catalogue(FOLDER, code)


def first_of(*wishes: str | None) -> str | None:
    """The first tag of the first wish that we offer. A wish is a list of language tags in order:
    OpenID Connect's `ui_locales` (by spaces), a user's locale, or an Accept-Language header."""
    for wish in wishes:
        for tag in _tags(wish or ""):
            found = tag.replace("_", "-").split("-")[0].lower()
            if found in OFFERED:
                return found
    return None


def _tags(wish: str) -> list[str]:
    """Language tags, the most wanted first (RFC 9110 section 12.5.4)."""
    separator = "," if "," in wish or ";" in wish else None
    weighed: list[tuple[float, str]] = []
    for part in wish[:500].split(separator):
        item = ITEM.fullmatch(part)
        if item and (weight := float(item[2] or 1)) > 0:
            weighed.append((-weight, item[1]))
    return [tag for _, tag in sorted(weighed, key=lambda pair: pair[0])]
