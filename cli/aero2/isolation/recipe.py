"""The type of what requests contain, and the values of their paths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

By = Literal[
    "key", "user", "client", "token", "publishable", "nobody", "developer", "operator", "half"
]
"""The caller, in an application of their own: its secret key, a user with a session, a client, a user's access
token, its publishable key, anybody, a developer in the Dashboard, an operator, or a sign-in that waits for its second factor."""
Values = Mapping[str, str]
Fill = Callable[[Values], dict[str, Any]]

PARAMETERS: Final = {
    "api-keys/id": "api_key_id",
    "applications/slug": "slug",
    "audit/id": "audit_id",
    "clients/id": "client_id",
    "developers/id": "developer_id",
    "device-sign-ins/device_id": "device_sign_in_id",
    "devices/id": "device_id",
    "domains/domain_id": "org_domain_id",
    "domains/id": "domain_id",
    "exchange-policies/policy_id": "exchange_policy_id",
    "grants/client_id": "client_id",
    "identities/link_id": "link_id",
    "idps/id": "idp_id",
    "initial-access-tokens/id": "initial_token_id",
    "invitations/id": "invitation_id",
    "invitations/invitation_id": "org_invitation_id",
    "jwks/kid": "kid",
    "members/user_id": "user_id",
    "organization-roles/role_id": "org_role_id",
    "organizations/org_id": "org_id",
    "passkeys/id": "passkey_id",
    "passkeys/passkey_id": "passkey_id",
    "permissions/permission_id": "permission_id",
    "register/client_id": "client_id",
    "resources/id": "resource_id",
    "roles/role_id": "role_id",
    "scopes/id": "scope_id",
    "secrets/secret_id": "secret_id",
    "sessions/id": "own_session_id",
    "sessions/session_id": "session_id",
    "support-views/application_id": "app_id",
    "user-batches/id": "batch_id",
    "users/id": "user_id",
    "users/user_id": "user_id",
    "{application_id}/user_id": "user_id",
}
"""The thing that a parameter of a path names, by the segment before it."""
CONSTANTS: Final = {"mail-templates/kind": "reset"}


LAST: Final = 99


@dataclass(frozen=True)
class Recipe:
    """The content of a request. `rank` orders what changes something: the lower come first. From 4 on, it comes after what
    deletes, too."""

    by: By = "key"
    body: Fill | None = None
    form: Fill | None = None
    query: Fill | None = None
    keep: Mapping[str, str] = field(default_factory=dict)
    """Things that the answer to its owner holds: each with the name of its field, and its place in a list."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Parameters of the path that name another thing than PARAMETERS says."""
    rank: int = 0
