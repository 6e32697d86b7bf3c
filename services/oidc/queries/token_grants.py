"""The data that tokens are issued from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from common.db import Db, value
from oidc.queries.conditions import SSO_OF_GRANT

INHERITED_COLUMNS: Final = (
    "user_id, session_id, sid, scopes, resource, claims, nonce, auth_time, acr, amr, org_id"
)
"""Of refresh_tokens: what a successor has as its predecessor had it."""
GRANT_COLUMNS: Final = f"{INHERITED_COLUMNS}, cnf, authorization_details"
"""Of refresh_tokens: what the tokens of a grant stand for."""
USER_COLUMNS: Final = "email, email_verified, name, picture, guest"
"""Of users: the claims that ID tokens carry most often."""


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """The data that a code or refresh token stands for, and its user's present data.

    `cnf` is what its tokens are bound to (RFC 7800), `authorization_details` what else was granted (RFC 9396).
    `org_role` is None if the grant has no organization, or its user is no longer a member. `actor_id`
    is who acts as the user, and `actor_app_id` their application. Such a grant has no refresh token.
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
    cnf: dict[str, Any] | None
    authorization_details: list[dict[str, Any]] | None
    user_epoch: int
    email: str | None
    email_verified: bool
    name: str | None
    picture: str | None
    guest: bool
    issued_at: datetime
    org_role: str | None = None
    actor_id: str | None = None
    actor_app_id: str | None = None


FIND_ORG_ROLE: Final = f"""
    SELECT m.role_id
    FROM organization_members m CROSS JOIN (SELECT $4::uuid AS session_id) t
    WHERE m.app_id = $1 AND m.org_id = $2 AND m.user_id = $3 AND {SSO_OF_GRANT}
    """


async def find_org_role(
    db: Db, *, app_id: str, org_id: str, user_id: str, session_id: str | None
) -> str | None:
    """Finds the role of a grant's user in its organization. Returns None if they are no member, or if
    the organization requires another sign-in."""
    role: str | None = await value(db, FIND_ORG_ROLE, app_id, org_id, user_id, session_id)
    return role
