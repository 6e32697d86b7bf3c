"""The values that requests name: ids, addresses and secrets of one canary."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any, Final

from common.ids import new_id

UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PUBLIC: Final = frozenset(
    {
        "callback",
        "kid",
        "new_password",
        "password",
        "permission_name",
        "scope_name",
        "slug",
        "totp_secret",
        "uri",
    }
)
"""Values that everybody may know, or that say nothing by themselves."""
MAIL_DOMAIN: Final = "isolation.example.invalid"
"""No mail ever gets there (RFC 2606 section 2)."""


def word() -> str:
    """Returns a word that is nowhere else. It begins with a letter, as ids of roles do."""
    return f"quoll{secrets.token_hex(6)}"


def address() -> str:
    """Returns an address that nobody has."""
    return f"{word()}@{MAIL_DOMAIN}"


def client_document(name: str) -> dict[str, Any]:
    """Returns a copy of a client's metadata document, to be pinned."""
    url = f"https://{name}.invalid/client.json"
    content = {"client_id": url, "redirect_uris": [f"https://{name}.invalid/cb"]}
    return {"client_id": url, "document": content}


class Things(Mapping[str, str]):
    """Values by name. It remembers which of them were read, so that what a request names is known."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values_by_name = values
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> str:
        value = self.values_by_name[name]
        if name not in PUBLIC:
            self.read.add(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)


def ghosts(values: dict[str, str]) -> dict[str, str]:
    """Returns values of the same form that name nothing in any application. A refusal that differs between
    both tells which things exist."""
    replacements: dict[str, str] = {}
    return {
        name: value if name in PUBLIC else replacements.setdefault(value, _ghost(value))
        for name, value in values.items()
    }


def _ghost(value: str) -> str:
    if UUID.fullmatch(value):
        return new_id()
    if value.endswith(f"@{MAIL_DOMAIN}"):
        return address()
    if value.startswith("eyJ"):  # a token that is signed: another signature
        head, _, signature = value.rpartition(".")
        return f"{head}.{signature[::-1]}"
    hexadecimal = re.sub(r"[0-9a-f]{12}", lambda _: secrets.token_hex(6), value)
    if hexadecimal != value:
        return hexadecimal
    start = value[: len(value) // 4]
    return start + secrets.token_hex(len(value))[: len(value) - len(start)]
