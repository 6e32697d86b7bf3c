"""The text of refresh tokens.

It begins with the kind of its token family: offline (OpenID Connect Core section 11), or for as long as
the session. A token is looked up by the hash of its whole text, so a changed kind is an unknown token.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from common.crypto import Keys, b64url
from common.crypto import token as random_token

ONLINE: Final = "rt_"
OFFLINE: Final = "ro_"


def new(scopes: Collection[str]) -> str:
    """Returns a new refresh token for a grant with these scopes."""
    return random_token(OFFLINE if "offline_access" in scopes else ONLINE)


def successor_of(keys: Keys, token: str, kid: str | None = None) -> str:
    """Returns the token's successor under a key, the active one by default: always the same, and
    unpredictable without our key. Raises KeyError for an unknown key."""
    kind = OFFLINE if is_offline(token) else ONLINE
    return kind + b64url(keys.digest("refresh-child", token.encode(), kid))


def is_refresh_token(text: str) -> bool:
    """Returns whether the text may be a refresh token."""
    return text.startswith((ONLINE, OFFLINE))


def is_offline(token: str) -> bool:
    """Returns whether the token belongs to an offline family, if it is one of ours."""
    return token.startswith(OFFLINE)
