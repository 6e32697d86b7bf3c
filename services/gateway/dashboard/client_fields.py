"""The fields of a client's form: from a client to what people type, and back."""

from __future__ import annotations

from typing import Any, Final

from common.contracts.clients import Client
from common.grant_types import DEVICE_CODE, sign_users_in
from gateway.pages.fields import Fields

LISTS: Final = ("redirect_uris", "post_logout_redirect_uris", "allowed_origins")
"""Fields with one entry in each line."""
URLS: Final = ("backchannel_logout_uri", "frontchannel_logout_uri", "initiate_login_uri")
FLAGS: Final = ("first_party",)
MACHINE_FLAGS: Final = ("dpop_bound_access_tokens",)
"""Of clients of all kinds."""
DEVICE_SIGN_IN: Final = "device_sign_in"
"""A switch of the form: whether the client has the device code grant."""
OF_USERS: Final = frozenset((*LISTS, *URLS, *FLAGS))
"""Fields of clients that sign users in."""
MAX_LINES: Final = 200


def lines(text: str | None) -> list[str]:
    """Returns the lines that are not blank, without surrounding spaces."""
    stripped = (line.strip() for line in (text or "").splitlines()[:MAX_LINES])
    return [line for line in stripped if line]


def values_of(client: Client) -> dict[str, str]:
    """Returns the texts that the form shows."""
    values = {name: "\n".join(getattr(client, name)) for name in LISTS}
    values |= {name: getattr(client, name) or "" for name in URLS}
    values |= {name: "on" if getattr(client, name) else "" for name in (*FLAGS, *MACHINE_FLAGS)}
    values[DEVICE_SIGN_IN] = "on" if DEVICE_CODE in client.grant_types else ""
    return values | {
        "name": client.name,
        "scopes": " ".join(client.scopes),
        "access_token_format": client.access_token_format,
        "access_token_lifetime": str(client.access_token_lifetime),
    }


def typed(fields: Fields, client: Client) -> dict[str, str]:
    """Returns the texts of a posted form. Blank lines are left out, so that the number of a line is that
    of its entry. A field that the form does not have keeps its value."""
    values, signs_users_in = values_of(client), sign_users_in(client.grant_types)
    for name in values:
        if name in LISTS and name in fields:
            values[name] = "\n".join(lines(fields.get(name)))
        elif name in MACHINE_FLAGS or (name in (*FLAGS, DEVICE_SIGN_IN) and signs_users_in):
            values[name] = "on" if name in fields else ""
        elif name in fields:
            values[name] = fields.text(name)
    return values


def changes(client: Client, values: dict[str, str]) -> dict[str, Any]:
    """Returns the fields whose values differ from those of the client."""
    before = values_of(client)
    changed = {name: text for name, text in values.items() if text != before[name]}
    switched = changed.pop(DEVICE_SIGN_IN, None)
    parsed = {name: _parsed(name, text) for name, text in changed.items()}
    if switched is not None:
        others = [name for name in client.grant_types if name != DEVICE_CODE]
        parsed["grant_types"] = [*others, DEVICE_CODE] if switched else others
    return parsed


def _parsed(name: str, text: str) -> Any:
    if name in LISTS:
        return lines(text)
    if name == "scopes":
        return text.split()
    if name in FLAGS or name in MACHINE_FLAGS:
        return text == "on"
    if name in URLS:
        return text or None
    if name == "access_token_lifetime" and text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    return text
