"""Requests of an application's backend and of its developers."""

from __future__ import annotations

from typing import Any, Final

from aero2.isolation.recipe import LAST, By, Recipe, Values
from aero2.isolation.things import address, client_document, word


def _user(by: By = "user", **more: Any) -> Recipe:
    return Recipe(by=by, **more)


def _name(_: Values) -> dict[str, Any]:
    return {"name": "Something new"}


def _evaluation(t: Values) -> dict[str, Any]:
    resource, _, action = t["permission_name"].partition(":")
    return {
        "subject": {"type": "user", "id": t["user_id"]},
        "action": {"name": action},
        "resource": {"type": resource, "id": "any", "properties": {"org_id": t["org_id"]}},
    }


RECIPES: Final[dict[str, Recipe]] = {
    "POST /api/authorize/check": Recipe(
        body=lambda t: {"checks": [{"user_id": t["user_id"], "permission": t["permission_name"]}]}
    ),
    "POST /access/v1/evaluation": Recipe(body=_evaluation),
    "POST /access/v1/evaluations": Recipe(body=lambda t: {"evaluations": [_evaluation(t)]}),
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
    # rights
    "POST /api/permissions": Recipe(body=lambda _: {"name": f"canary:{word()}"}),
    "PATCH /api/permissions/{permission_id}": Recipe(body=lambda _: {"description": "changed"}),
    "POST /api/resources": Recipe(
        body=lambda _: {"identifier": f"https://{word()}.example", "name": "Another"}
    ),
    "PUT /api/client-documents": Recipe(body=lambda _: client_document(word())),
    "DELETE /api/client-documents": Recipe(query=lambda t: {"client_id": t["client_url"]}),
    "POST /api/scopes": Recipe(body=lambda _: {"name": word()}),
    "POST /api/clients/{id}/exchange-policies": Recipe(
        body=lambda t: {"provider": t["idp_id"], "resources": [t["resource_uri"]]}
    ),
    "POST /api/initial-access-tokens": Recipe(body=lambda _: {"name": word()}),
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
