"""Codes and tokens."""

from __future__ import annotations

from common.events.base import Event


class CodeIssued(Event, type="authorization_granted", activity=True):
    """A client got an authorization code for a user."""

    client_id: str
    scopes: list[str]


class CodeReused(Event, type="authorization_code_reused"):
    """An authorization code was presented a second time. The tokens from it were revoked."""

    client_id: str


class TokenIssued(Event, type="token_issued"):
    """A client exchanged a code for tokens of a user. A new token family starts."""

    client_id: str
    scopes: list[str]


class TokenRefreshed(Event, type="token_refreshed", activity=True):
    """A refresh token was exchanged for its successor."""

    client_id: str


class TokenReused(Event, type="refresh_token_reused"):
    """A used refresh token was presented again. Its whole token family was revoked."""

    client_id: str


class TokenRevoked(Event, type="token_revoked"):
    """A client revoked a token (RFC 7009)."""

    client_id: str
    kind: str


class ClientTokenIssued(Event, type="client_token_issued", activity=True):
    """A client got an access token for itself."""

    client_id: str
    scopes: list[str]


class TokenExchanged(Event, type="token_exchanged"):
    """A client exchanged a token for one with which it acts for the token's subject (RFC 8693). The subject
    is the user of the event, or `subject`. `actors` has who acts, the latest first."""

    client_id: str
    subject: str
    subject_client_id: str
    actors: list[str]
    audience: list[str]
    scopes: list[str]


class AssertionExchanged(Event, type="assertion_exchanged"):
    """A client exchanged an assertion of an identity provider for a token of its user (RFC 7523, RFC 8693).
    `actors` has who acts for the user, if the token names somebody."""

    client_id: str
    provider_id: str
    actors: list[str]
    audience: list[str]
    scopes: list[str]


class AssertionIssued(Event, type="assertion_issued"):
    """A client got an assertion about a user, for another authorization server (ID-JAG)."""

    client_id: str
    audience: str
    audience_client_id: str
    resources: list[str]
    scopes: list[str]
