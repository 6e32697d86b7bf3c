"""Catalogues of translated texts: gettext's `.po` files, read as a process first needs them.

Reading one takes a few milliseconds. No compiled file is committed that could differ from its
source, and no build step is needed.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations


def read_catalogue(folder: Path, language: str) -> NullTranslations:
    """Returns the translations in `folder/<language>/LC_MESSAGES/messages.po`. Raises OSError, or
    PoFileError for a file with mistakes."""
    with (folder / language / "LC_MESSAGES" / "messages.po").open("rb") as source:
        catalogue = read_po(source, locale=language, abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(fp=compiled)
