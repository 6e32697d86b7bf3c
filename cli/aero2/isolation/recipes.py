"""What the request of each operation contains, by the name that it has at an application's own host."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import pyotp

from aero2.isolation.things import address, word

By = Literal[
    "key", "user", "client", "token", "publishable", "nobody", "developer", "operator", "half"
]
"""Who does it in an application of their own: its secret key, a user with a session, a client, a user's access
token, its publishable key, anybody, a developer in the Dashboard, an operator, or a sign-in that waits for its second factor."""
Values = Mapping[str, str]
Fill = Callable[[Values], dict[str, Any]]

PARAMETERS: Final = {
    "api-keys/id": "api_key_id",
    "applications/slug": "slug",
    "audit/id": "audit_id",
    "clients/id": "client_id",
    "developers/id": "developer_id",
    "devices/id": "device_id",
    "domains/domain_id": "org_domain_id",
    "domains/id": "domain_id",
    "grants/client_id": "client_id",
    "identities/link_id": "link_id",
    "idps/id": "idp_id",
    "invitations/id": "invitation_id",
    "invitations/invitation_id": "org_invitation_id",
    "jwks/kid": "kid",
    "members/user_id": "user_id",
    "organization-roles/role_id": "org_role_id",
    "organizations/org_id": "org_id",
    "passkeys/id": "passkey_id",
    "passkeys/passkey_id": "passkey_id",
    "permissions/permission_id": "permission_id",
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
    """What to send. `rank` orders what changes something: the lower come first. From 4 on, it comes after what
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


def recipe_of(name: str) -> Recipe:
    """Returns the recipe of an operation. Without one of its own, it has no body, and who does it follows
    from its path."""
    return RECIPES.get(name) or Recipe(by=_by(name.partition(" ")[2]))


def _by(path: str) -> By:
    if path.startswith("/api/platform/"):
        return "operator"
    if path.startswith("/api/applications"):
        return "developer"
    if path.startswith(("/api/users/me", "/api/sessions")):
        return "user"
    if path.startswith(("/api/auth/", "/.well-known/", "/oauth2/")):
        return "nobody"
    return "key"


def _totp(t: Values) -> dict[str, Any]:
    return {"code": pyotp.TOTP(t["totp_secret"]).at(time.time())}


def _user(by: By = "user", **more: Any) -> Recipe:
    return Recipe(by=by, **more)


def _authorization(t: Values) -> dict[str, Any]:
    return {
        "client_id": t["client_id"],
        "redirect_uri": t["callback"],
        "response_type": "code",
        "scope": "openid",
        "state": "s",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
    }


def _name(_: Values) -> dict[str, Any]:
    return {"name": "Something new"}


RECIPES: Final[dict[str, Recipe]] = {
    "POST /api/authorize/check": Recipe(
        body=lambda t: {"checks": [{"user_id": t["user_id"], "permission": t["permission_name"]}]}
    ),
    # ways in
    "POST /api/auth/signup": _user(
        "nobody", body=lambda t: {"email": t["email"], "password": t["password"]}
    ),
    "POST /api/auth/signup/resend": _user(
        "nobody", body=lambda t: {"flow": t["sign_up_flow"], "browser": t["browser"]}
    ),
    "POST /api/auth/signin": _user(
        "nobody", body=lambda t: {"email": t["email"], "password": t["password"]}
    ),
    "POST /api/auth/code": _user("nobody", body=lambda t: {"email": t["email"]}),
    "POST /api/auth/magic-link": _user("nobody", body=lambda t: {"email": t["candidate_email"]}),
    "POST /api/auth/code/verify": _user(
        "nobody", body=lambda t: {"flow": t["code_flow"], "code": "000000"}
    ),
    "POST /api/auth/link": _user("nobody", body=lambda t: {"token": t["link_token"]}),
    "POST /api/auth/confirm": _user(body=lambda t: {"password": t["password"]}),
    "POST /api/auth/reset": _user("nobody", body=lambda t: {"email": t["own_email"]}),
    "POST /api/auth/reset/finish": _user(
        "nobody", body=lambda t: {"token": t["link_token"], "password": t["new_password"]}
    ),
    "POST /api/auth/password/check": _user(
        "nobody", body=lambda t: {"password": t["password"], "email": t["email"]}
    ),
    "POST /api/auth/verify-email": _user(body=lambda t: {"token": t["link_token"]}),
    "POST /api/auth/invitation": _user("nobody", body=lambda t: {"token": t["link_token"]}),
    "POST /api/auth/invitation/accept": _user(
        "nobody", body=lambda t: {"token": t["link_token"], "password": t["password"]}
    ),
    "POST /api/auth/owner/claim": _user(
        "nobody",
        body=lambda t: {"token": t["link_token"], "email": t["email"], "password": t["password"]},
    ),
    "POST /api/auth/signout": _user("nobody"),
    "POST /api/auth/guest": _user("publishable", body=lambda _: {}),
    "POST /api/auth/provider": _user("nobody", body=lambda t: {"email": t["email"]}),
    "GET /api/auth/session": _user(),
    # clients
    "POST /api/clients": Recipe(
        body=lambda t: {"name": "Another", "redirect_uris": [t["callback"]]}
    ),
    "POST /api/clients/check": Recipe(
        body=lambda t: {
            "url": f"/oauth2/authorize?response_type=code&client_id={t['client_id']}"
            f"&redirect_uri={t['callback']}"
        }
    ),
    "PUT /api/clients/{id}": Recipe(body=_name),
    "PATCH /api/clients/{id}": Recipe(body=_name),
    "POST /api/clients/{id}/rotate-secret": Recipe(body=lambda _: {"overlap": 3600}),
    "DELETE /api/clients/{id}/grants": Recipe(query=lambda t: {"user_id": t["user_id"]}),
    # providers
    "GET /api/idps": _user("nobody"),
    "POST /api/idps": Recipe(
        body=lambda _: {
            "preset": "github",
            "name": word(),
            "client_id": "c",
            "client_secret": "s",
        }
    ),
    "PUT /api/idps/{id}": Recipe(body=lambda _: {"display_name": "Another"}),
    "PATCH /api/idps/{id}": Recipe(body=lambda _: {"display_name": "Another"}),
    "POST /api/users/{id}/impersonate": Recipe(by="user", body=lambda _: {"reason": "a test"}),
    # mail
    "PUT /api/mail-sender": Recipe(
        body=lambda _: {"host": "mail.example.invalid", "from_address": "c@example.invalid"}
    ),
    "POST /api/mail-sender/test": Recipe(body=lambda _: {}),
    "PUT /api/mail-templates/{kind}/{locale}": Recipe(
        body=lambda _: {"subject": "s", "text": "{{ code }}", "html": "{{ code }}"}
    ),
    "POST /api/mail-templates/{kind}/{locale}/preview": Recipe(body=lambda _: {}),
    # oneself
    "PUT /api/users/me": _user(body=_name),
    "POST /api/users/me/email": _user(body=lambda _: {"email": address()}),
    "POST /api/users/me/email/verify": _user(
        body=lambda t: {"flow": t["code_flow"], "code": "000000"}
    ),
    "PUT /api/users/me/password": _user(
        body=lambda t: {"current": t["password"], "password": t["new_password"]}, rank=10
    ),
    "POST /api/users/me/delete": _user(body=lambda t: {"password": t["new_password"]}, rank=12),
    "GET /api/users/me/permissions": _user(query=lambda t: {"org_id": t["org_id"]}),
    # organizations
    "POST /api/organizations/invitation": _user(
        "nobody", body=lambda t: {"token": t["link_token"]}
    ),
    "POST /api/organizations/accept-invitation": _user(body=lambda t: {"token": t["link_token"]}),
    "POST /api/organizations/{org_id}/activate": _user(),
    "POST /api/organizations/deactivate": _user(),
    "POST /api/organizations": Recipe(
        body=lambda t: {"name": "Another", "admin_user_id": t["user_id"]}
    ),
    "PUT /api/organizations/{org_id}": Recipe(body=_name),
    "PATCH /api/organizations/{org_id}": Recipe(body=_name),
    "POST /api/organizations/{org_id}/members": Recipe(
        body=lambda t: {"user_id": t["candidate_id"]}
    ),
    "PUT /api/organizations/{org_id}/members/{user_id}": Recipe(body=lambda _: {"role": "member"}),
    "PATCH /api/organizations/{org_id}/members/{user_id}": Recipe(
        body=lambda _: {"role": "member"}
    ),
    "POST /api/organizations/{org_id}/invitations": Recipe(body=lambda _: {"email": address()}),
    "POST /api/organizations/{org_id}/domains": Recipe(
        body=lambda _: {"domain": f"{word()}.example.invalid"}
    ),
    "PATCH /api/organizations/{org_id}/domains/{domain_id}": Recipe(
        body=lambda _: {"auto_join": False}
    ),
    # passkeys
    "POST /api/auth/passkey/options": _user("nobody", body=lambda _: {}),
    "POST /api/auth/passkey/verify": _user(
        "nobody", body=lambda t: {"credential": _credential(t["passkey_id"])}
    ),
    "POST /api/auth/passkey/second-factor/options": _user("half", body=lambda _: {}),
    "POST /api/auth/passkey/second-factor/verify": _user(
        "half", body=lambda t: {"credential": _credential(t["passkey_id"])}
    ),
    "POST /api/auth/passkey/setup/options": _user("half"),
    "POST /api/auth/passkey/setup/verify": _user(
        "half", body=lambda t: {"credential": _credential(t["passkey_id"])}
    ),
    "POST /api/auth/passkey/confirm/options": _user(body=lambda _: {}),
    "POST /api/auth/passkey/confirm/verify": _user(
        body=lambda t: {"credential": _credential(t["passkey_id"])}
    ),
    "POST /api/auth/passkey/signup/options": _user("nobody", body=lambda t: {"email": t["email"]}),
    "POST /api/auth/passkey/signup/verify": _user(
        "nobody", body=lambda t: {"credential": _credential(t["passkey_id"])}
    ),
    "POST /api/users/me/passkeys": _user(
        body=lambda t: {"credential": _credential(t["passkey_id"])}
    ),
    "PUT /api/users/me/passkeys/{id}": _user(body=_name),
    # rights
    "POST /api/permissions": Recipe(body=lambda _: {"name": f"canary:{word()}"}),
    "PATCH /api/permissions/{permission_id}": Recipe(body=lambda _: {"description": "changed"}),
    "POST /api/resources": Recipe(
        body=lambda _: {"identifier": f"https://{word()}.example", "name": "Another"}
    ),
    "POST /api/scopes": Recipe(body=lambda _: {"name": word()}),
    "POST /api/roles": Recipe(
        body=lambda t: {"name": word(), "permissions": [t["permission_name"]]}
    ),
    "PUT /api/roles/{role_id}": Recipe(body=lambda _: {"description": "changed"}),
    "PATCH /api/roles/{role_id}": Recipe(body=lambda _: {"description": "changed"}),
    "POST /api/roles/{role_id}/permissions": Recipe(
        body=lambda t: {"permission_id": t["permission_id"]}
    ),
    "POST /api/users/{user_id}/roles": Recipe(body=lambda t: {"role_id": t["role_id"]}),
    "POST /api/organization-roles": Recipe(body=lambda _: {"name": word()}),
    "PATCH /api/organization-roles/{role_id}": Recipe(body=lambda _: {"description": "changed"}),
    # second factors
    "GET /api/auth/second-factor": _user("half", rank=6),
    "POST /api/auth/second-factor": _user(
        "half", body=lambda t: {"recovery_code": t["recovery_code"]}, rank=6
    ),
    "DELETE /api/auth/second-factor": _user("half", rank=6),
    "POST /api/auth/second-factor/totp/setup": _user("half"),
    "POST /api/auth/second-factor/totp/verify": _user("half", body=lambda _: {"code": "000000"}),
    "POST /api/users/me/mfa/totp/setup": _user(keep={"totp_secret": "secret"}, rank=4),
    "POST /api/users/me/mfa/totp/verify": _user(
        body=_totp,
        keep={"recovery_code": "recovery_codes/0", "second_recovery_code": "recovery_codes/1"},
        rank=5,
    ),
    "POST /api/auth/confirm/second-factor": _user(
        body=lambda t: {"recovery_code": t["second_recovery_code"]}, rank=6
    ),
    "POST /api/users/me/mfa/recovery-codes": _user(rank=7),
    "DELETE /api/users/me/mfa/totp": _user(rank=8),
    # sessions
    "DELETE /api/sessions": _user(rank=9),
    "POST /api/sessions/revoke-all": _user(rank=9),
    # settings and keys
    "PUT /api/settings": Recipe(body=lambda _: {"guests": True}),
    "POST /api/signing-keys/rotate": Recipe(body=lambda _: {}),
    # many users
    "POST /api/user-batches": Recipe(
        body=lambda t: {"act": "enable", "user_ids": [t["candidate_id"]]}
    ),
    "POST /api/user-batches/import": Recipe(body=lambda _: {"users": [{"email": address()}]}),
    "POST /api/user-batches/delete": Recipe(body=lambda t: {"user_ids": [t["spare_id"]]}),
    "POST /api/user-batches/{id}/rows": Recipe(
        body=lambda _: {"first": 1, "users": [{"email": address()}], "complete": False}
    ),
    "POST /api/user-batches/{id}/cancel": Recipe(rank=1),
    # users
    "POST /api/users": Recipe(body=lambda _: {"email": address()}),
    "POST /api/users/import": Recipe(body=lambda _: {"users": [{"email": address()}]}),
    "GET /api/users/by-email": Recipe(query=lambda t: {"email": t["email"]}),
    "POST /api/users/invitations": Recipe(body=lambda _: {"email": address()}),
    "PUT /api/users/{id}": Recipe(body=_name),
    "DELETE /api/users/{id}/sessions/{session_id}": Recipe(names={"users/id": "candidate_id"}),
    "DELETE /api/clients/{id}": Recipe(rank=5),
    # OAuth
    "GET /oauth2/authorize": _user(query=_authorization),
    "POST /oauth2/authorize": _user(form=_authorization),
    "GET /oauth2/logout": _user("nobody", query=lambda t: {"id_token_hint": t["id_token"]}),
    "POST /oauth2/logout": _user("nobody", form=lambda t: {"id_token_hint": t["id_token"]}),
    "POST /oauth2/token": _user(
        "client",
        form=lambda t: {"grant_type": "refresh_token", "refresh_token": t["refresh_token"]},
        keep={"refresh_token": "refresh_token"},
    ),
    "POST /oauth2/introspect": _user("client", form=lambda t: {"token": t["access_token"]}),
    "POST /oauth2/revoke": _user("client", form=lambda t: {"token": t["refresh_token"]}, rank=4),
    "GET /oauth2/userinfo": _user("token"),
    "POST /oauth2/userinfo": _user("token"),
    # the Dashboard alone
    "POST /api/applications": _user(
        "developer",
        body=lambda t: {"name": "Isolation canary", "owner_org_id": t["team_id"]},
    ),
    "PATCH /api/applications/{slug}": _user(
        "developer", body=lambda _: {"name": "Isolation canary"}
    ),
    "PUT /api/applications/{slug}": _user("developer", body=lambda _: {"name": "Isolation canary"}),
    "DELETE /api/applications/{slug}": _user(
        "developer", query=lambda t: {"confirm": t["slug"]}, rank=LAST
    ),
    "POST /api/applications/{slug}/transfer": _user(
        "developer", body=lambda t: {"owner_org_id": t["second_team_id"]}
    ),
    "POST /api/applications/{slug}/domains": _user(
        "developer", body=lambda _: {"domain": f"{word()}.example.invalid"}
    ),
    "PUT /api/applications/{slug}/domains/primary": _user(
        "developer", body=lambda t: {"domain_id": t["domain_id"]}
    ),
    "POST /api/applications/{slug}/api-keys": _user(
        "developer", body=lambda _: {"key_type": "publishable"}
    ),
    "POST /api/applications/{slug}/api-keys/{id}/rotate": _user("developer", body=lambda _: {}),
    "POST /api/platform/user-search": _user(
        "operator", body=lambda t: {"email": t["email"], "reason": "a test of isolation"}
    ),
    "POST /api/platform/support-views": _user(
        "operator",
        body=lambda t: {
            "application_id": t["app_id"],
            "user_id": t["user_id"],
            "reason": "a test of isolation",
        },
    ),
    "PATCH /api/platform/settings": _user("operator", body=lambda _: {}),
}


def _credential(id: str) -> dict[str, Any]:
    """Returns what a browser would send, with a signature that nobody made."""
    none = {"clientDataJSON": "e30", "authenticatorData": "AA", "signature": "AA"}
    return {"id": id, "rawId": id, "type": "public-key", "response": none}
