"""The identity of an e-mail address, a domain and a host: the one place that folds case.

Two spellings are the same address if their keys are equal. The key is stored beside the spelling,
and every look-up, limit and rule compares keys.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")


def address_key(address: str) -> str:
    """Returns the key of an address that was validated. The local part keeps its characters but
    for case (Unicode simple case folding, NFC); the domain is a `domain_key`. Idempotent."""
    local, _, domain = address.strip().rpartition("@")
    return f"{_folded(local)}@{_lenient_domain(domain)}"


def domain_key(domain: str) -> str:
    """Returns the domain in lower case A-labels (IDNA 2008, non-transitional) without the dot of
    the root. Raises ValueError if it is no domain name. Idempotent."""
    name = domain.strip().removesuffix(".")
    if name.isascii() and "xn--" not in name.lower():
        name = name.lower()
    else:
        import idna  # the tables are large, and few domains need them

        try:
            name = idna.encode(name, uts46=True, transitional=False).decode().lower()
        except (idna.IDNAError, UnicodeError):
            raise ValueError("this is not a domain name") from None
    if len(name) > 253 or not all(LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError("this is not a domain name")
    return name


def search_keys(text: str) -> tuple[str, str]:
    """Returns what part of an address key the text may be: of the local part, and of the domain."""
    folded = _folded(text.strip())
    local, at, domain = folded.rpartition("@")
    return folded, local + at + _lenient_domain(domain)


def host_key(host: str) -> str:
    """Returns a host, with or without port, in lower case and without the dot of the root."""
    name, colon, port = host.strip().lower().partition(":")
    return name.removesuffix(".") + colon + port


def _lenient_domain(domain: str) -> str:
    try:
        return domain_key(domain)
    except ValueError:
        return _folded(domain)


def _folded(text: str) -> str:
    """Case folding of each character that stays one character, so that `ß` is not `ss`."""
    if text.isascii():
        return text.lower()
    folded = "".join(map(_fold, unicodedata.normalize("NFC", text)))
    return unicodedata.normalize("NFC", folded)


def _fold(character: str) -> str:
    for folded in (character.casefold(), character.lower()):
        if len(folded) == 1:
            return folded
    return character
