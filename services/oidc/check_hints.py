"""Hints for developers whose authorization URL is refused: what to change in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import SplitResult, urlsplit

from common.contracts.authorization_check import AuthorizationRule
from oidc.authorization_request import AuthorizationRequest
from oidc.queries.clients import RegisteredClient

MAX_SHOWN: Final = 300
"""Characters of a URI in a hint."""


def hint(
    rule: AuthorizationRule, request: AuthorizationRequest, client: RegisteredClient | None
) -> str | None:
    """Returns how to correct a URL that `rule` refuses, or None if the refusal says it already."""
    make = HINTS.get(rule)
    return make(request, client) if make else None


def _client(request: AuthorizationRequest, client: RegisteredClient | None) -> str | None:
    if client is not None and not client.enabled:
        return "The client is disabled. Enable it first."
    if "client_id" in request.parameters:
        return "This application has no client with this client_id. Check it letter by letter."
    return None


def _redirect_uri(request: AuthorizationRequest, client: RegisteredClient | None) -> str | None:
    if client is None or "redirect_uri" not in request.parameters:
        return None
    sent = request.parameters["redirect_uri"]
    for registered in client.redirect_uris:
        difference = _difference(sent, registered)
        if difference is not None:
            return f"{registered[:MAX_SHOWN]} is registered. {difference}"
    return "Register this URI for the client, or send one that is registered."


def _difference(sent: str, registered: str) -> str | None:
    """Returns in what a URI differs from a registered one, or None if in more than one thing."""
    if sent.lower() == registered.lower():
        return "Upper and lower case count."
    if sent.rstrip("/") == registered.rstrip("/"):
        return "The slash at the end counts."
    try:
        one, other = urlsplit(sent), urlsplit(registered)
    except ValueError:
        return None
    for sentence, same in PARTS.items():
        if same(one, other):
            return sentence
    return None


def _same_but(*names: str) -> Callable[[SplitResult, SplitResult], bool]:
    changed = dict.fromkeys(names, "")
    return lambda one, other: one._replace(**changed) == other._replace(**changed)


PARTS: Final[dict[str, Callable[[SplitResult, SplitResult], bool]]] = {
    "The scheme differs.": _same_but("scheme"),
    "The query or the fragment differs.": _same_but("query", "fragment"),
    "The host or the port differs.": _same_but("netloc"),
    "The path differs.": _same_but("path"),
}


def _pkce(request: AuthorizationRequest, client: RegisteredClient | None) -> str | None:
    return (
        "Make a code_verifier of 43 to 128 random characters. Send its SHA-256 in base64url as"
        " code_challenge, with code_challenge_method=S256."
    )


def _scope(request: AuthorizationRequest, client: RegisteredClient | None) -> str | None:
    if client is None:
        return None
    return f"The client may ask for: {' '.join(client.scopes)[:MAX_SHOWN] or 'no scope'}"


HINTS: Final[
    dict[AuthorizationRule, Callable[[AuthorizationRequest, RegisteredClient | None], str | None]]
] = {"client": _client, "redirect_uri": _redirect_uri, "pkce": _pkce, "scope": _scope}
