"""Names of one writing direction in sentences of the other (Unicode Standard Annex 9)."""

from __future__ import annotations

from typing import Final
from unicodedata import bidirectional

OPPOSITE: Final = {"ltr": frozenset({"R", "AL", "AN"}), "rtl": frozenset({"L"})}
"""By the direction of a sentence: the classes of characters that turn their neighbours."""
FIRST_STRONG_ISOLATE: Final = "\u2068"
POP_DIRECTIONAL_ISOLATE: Final = "\u2069"


def isolate(text: str, direction: str = "ltr") -> str:
    """Returns a name for a sentence of that direction. A name with letters of the other direction
    is isolated, so that it moves no number or punctuation beside it. Unlike `<bdi>`, this works in
    titles, attributes and subjects, too."""
    if direction == "ltr" and text.isascii():  # the usual case, without a look at each character
        return text
    if any(bidirectional(character) in OPPOSITE[direction] for character in text):
        return f"{FIRST_STRONG_ISOLATE}{text}{POP_DIRECTIONAL_ISOLATE}"
    return text
