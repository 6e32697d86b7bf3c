"""The caller of a call, and how the header of a call encodes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

Kind = Literal["anonymous", "user", "secret_key", "client", "developer", "system"]
ActorKind = Literal["user", "developer"]
KINDS: Final = frozenset(get_args(Kind))


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a call. `id` is the id of the user, key or client. `permissions` hold in the
    context's application (`*` means all of them). `teams` are the developer teams of a developer.
    `org_id` is the active organization. `delegated` means that a client acts for the user with an
    access token without the scope `account`, so the user's account is out of its reach. `guest` means
    that the user has no credentials yet. `actor_id` is who acts as the user (RFC 8693 section 4.1):
    another user of the application, or a developer, as `actor_kind` says.

    `proven_at` is when a user or developer last proved who they are, in epoch seconds: with a
    second factor if they are asked for one (`two_factors`). `by_token` means that they come with an
    access token. `lacks_factor` means that an operator has not shown the second factor that operators
    need: their permissions are those of a developer (`common.operator_rules`)."""

    kind: Kind = "anonymous"
    id: str | None = None
    permissions: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    session_id: str | None = None
    org_id: str | None = None
    delegated: bool = False
    guest: bool = False
    actor_id: str | None = None
    actor_kind: ActorKind = "user"
    proven_at: int | None = None
    two_factors: bool = False
    by_token: bool = False
    lacks_factor: bool = False

    def may(self, permission: str) -> bool:
        """Returns whether the caller has a permission."""
        return permission in self.permissions or "*" in self.permissions

    @property
    def user_id(self) -> str | None:
        """The user in this application. A developer is a user of another application."""
        return self.id if self.kind == "user" else None


def wire_of(who: Caller) -> dict[str, object]:
    """Returns the caller as the header has it, without what is empty."""
    caller: dict[str, object] = {"k": who.kind, "i": who.id}
    if who.permissions:
        caller["p"] = list(who.permissions)
    if who.teams:
        caller["m"] = list(who.teams)
    if who.session_id:
        caller["s"] = who.session_id
    if who.org_id:
        caller["o"] = who.org_id
    if who.delegated:
        caller["g"] = True
    if who.guest:
        caller["n"] = True
    if who.actor_id:
        caller["x"], caller["y"] = who.actor_id, who.actor_kind
    if who.proven_at is not None:
        caller["v"] = who.proven_at
    if who.two_factors:
        caller["2"] = True
    if who.by_token:
        caller["b"] = True
    if who.lacks_factor:
        caller["l"] = True
    return caller


def from_wire(who: dict[str, Any]) -> Caller:
    """Returns the caller of a header. Raises ValueError or TypeError for what `wire_of` would never
    have written."""
    kind, permissions, teams = who["k"], who.get("p", []), who.get("m", [])
    proven_at = who.get("v")
    if kind not in KINDS or not isinstance(permissions, list) or not isinstance(teams, list):
        raise ValueError("not a caller")
    if proven_at is not None and not isinstance(proven_at, int):
        raise ValueError("not a time")
    return Caller(
        kind=kind,
        id=who["i"],
        permissions=frozenset(permissions),
        teams=frozenset(teams),
        session_id=who.get("s"),
        org_id=who.get("o"),
        delegated=who.get("g") is True,
        guest=who.get("n") is True,
        actor_id=who.get("x"),
        actor_kind=who.get("y", "user"),
        proven_at=proven_at,
        two_factors=who.get("2") is True,
        by_token=who.get("b") is True,
        lacks_factor=who.get("l") is True,
    )
