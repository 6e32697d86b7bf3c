"""Codes and tokens."""

from __future__ import annotations

from common.events.base import Event


class CodeIssued(Event, type="authorization_granted", activity=True):
    """A client got an authorization code for a user."""

    client_id: str
    scopes: list[str]


class CodeReused(Event, type="authorization_code_reused"):
    """A used code was presented again: the tokens made from it are dead."""

    client_id: str


class TokenIssued(Event, type="token_issued"):
    """A client got tokens for a user by a code: a grant begins, with its family of tokens."""

    client_id: str
    scopes: list[str]


class TokenRefreshed(Event, type="token_refreshed", activity=True):
    """A refresh token was exchanged for its successor."""

    client_id: str


class TokenReused(Event, type="refresh_token_reused"):
    """An old refresh token was presented: its whole family is dead."""

    client_id: str


class TokenRevoked(Event, type="token_revoked"):
    """A client gave a token back (RFC 7009)."""

    client_id: str
    kind: str


class ClientTokenIssued(Event, type="client_token_issued", activity=True):
    """A client got an access token for itself."""

    client_id: str
    scopes: list[str]
