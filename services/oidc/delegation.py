"""The claims `act` and `may_act`: who acts for the subject of a token (RFC 8693 sections 4.1 and 4.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from common.contracts.oauth_errors import OAuthError
from oidc.token_target import Target

MOST: Final = 4
"""Actors in a chain."""
MEMBERS: Final = ("sub", "iss")
"""The members that identify an actor. Other members of a foreign `act` are left out."""
LONGEST: Final = 500
"""Characters of a member."""


@dataclass(frozen=True, slots=True)
class Delegation:
    """The debt of an access token to those that it was exchanged for.

    `act` is the chain of actors, the latest first. The token expires at `not_after` at the latest. It is valid
    only as long as none of `tokens` is revoked, and the epoch of each of `clients` stays the same.
    """

    act: dict[str, Any] | None = None
    not_after: int | None = None
    tokens: list[str] = field(default_factory=list)
    clients: dict[str, int] = field(default_factory=dict)

    def limit(self, target: Target, issued_at: int) -> Target:
        """Returns the target with the lifetime that is left. Raises OAuthError if there is none."""
        if self.not_after is None:
            return target
        left = min(target.lifetime, self.not_after - issued_at)
        if left <= 0:
            raise OAuthError("the subject token has expired")
        return replace(target, lifetime=left)

    def claims(self) -> dict[str, Any]:
        """Returns `act`, and the claim that `access_tokens` checks the token by."""
        values: dict[str, Any] = {} if self.act is None else {"act": self.act}
        if self.tokens or self.clients:
            values["exchanged"] = {"tokens": self.tokens, "clients": self.clients}
        return values


NOT_EXCHANGED: Final = Delegation()
"""Of a token that was not exchanged for another one."""


def actors(act: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Yields the actors of a chain, the latest first, without the chain below each."""
    while isinstance(act, dict):
        yield {name: act[name] for name in MEMBERS if name in act}
        act = act.get("act")


def chain(actor: dict[str, Any] | None, earlier: dict[str, Any] | None) -> dict[str, Any] | None:
    """Returns the chain with a new latest actor, or the earlier one if there is none.

    Raises OAuthError if an actor cannot be identified, or if there are too many.
    """
    links = [*([actor] if actor else []), *actors(earlier)]
    if len(links) > MOST:
        raise OAuthError(f"more than {MOST} would act for the subject, one for another")
    linked: dict[str, Any] | None = None
    for link in reversed(links):
        known = link.get("sub") is not None
        if not known or not all(isinstance(t, str) and len(t) <= LONGEST for t in link.values()):
            raise OAuthError("an actor of the token has no sub")
        linked = link if linked is None else {**link, "act": linked}
    return linked


def check_may_act(may_act: object, actor: dict[str, Any], issuer: str) -> None:
    """Raises OAuthError unless the subject token lets this actor act, if it names who may (section 4.4).

    A member that we cannot compare is a condition that nobody fulfils.
    """
    if may_act is None:
        return
    present = {"iss": issuer, **actor}
    if (
        not isinstance(may_act, dict)
        or not may_act
        or may_act != {name: present.get(name) for name in may_act}
    ):
        raise OAuthError("the subject token does not let this actor act")
