"""The data that tokens are issued from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

GRANT_COLUMNS: Final = (
    "user_id, session_id, sid, scopes, resource, claims, nonce, auth_time, acr, amr, org_id"
)
"""Of refresh_tokens."""
USER_COLUMNS: Final = "email, email_verified, name, picture, guest"
"""Of users: the claims that ID tokens carry most often."""


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """The data that a code or refresh token stands for, and its user's present data.

    `org_role` is None if the user is no longer a member of the organization. `actor_id` is who acts
    as the user, and `actor_app_id` their application. Such a grant has no refresh token.
    """

    family_id: str
    user_id: str
    session_id: str | None
    sid: str | None
    scopes: list[str]
    resource: list[str]
    claims: dict[str, Any] | None
    nonce: str | None
    auth_time: datetime
    acr: str | None
    amr: list[str]
    org_id: str | None
    org_role: str | None
    user_epoch: int
    email: str | None
    email_verified: bool
    name: str | None
    picture: str | None
    guest: bool
    issued_at: datetime
    actor_id: str | None = None
    actor_app_id: str | None = None
