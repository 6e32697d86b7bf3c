"""The languages of the built-in mails."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, TypeAlias

from common.catalogues import read_catalogue

Locale = Literal["en", "de"]
LOCALES: Final[tuple[Locale, ...]] = ("en", "de")
FOLDER: Final = Path(__file__).parent / "locales"
Translate: TypeAlias = Callable[[str], str]
"""Returns a text in one language."""


def closest(locale: str | None) -> Locale:
    """Returns the offered language that is nearest to a language tag: English if none is."""
    language = re.split(r"[-_]", (locale or "").lower())[0]
    return next((offered for offered in LOCALES if offered == language), "en")


@lru_cache(maxsize=len(LOCALES))
def translator(locale: Locale) -> Translate:
    """Returns the function that says texts in this language."""
    if locale == "en":
        return lambda text: text
    return read_catalogue(FOLDER, locale).gettext
