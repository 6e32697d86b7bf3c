"""The name that developers type before something is deleted for ever."""

from __future__ import annotations

from typing import Final

from common.message_ids import N_
from gateway.pages.languages import Language

WRONG: Final = N_("This is not the name. Type it as it is shown.")


def names(typed: str, name: str) -> bool:
    """Returns whether the text is the name. Browsers show several spaces as one, so their number does
    not count."""
    return bool(typed.split()) and typed.split() == name.split()


def typed_name_error(language: Language) -> dict[str, str]:
    """Returns the error of the field `typed`."""
    return {"typed": language.translate(WRONG)}
