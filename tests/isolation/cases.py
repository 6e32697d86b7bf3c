"""One request for every contract: the caller in `home` and the values from `away`.

The name of a field says which value of `away` it gets. If a required field has no known value, the
contract has no case and the test fails.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tests.isolation.sides import KEY_HOLDER, PASSWORD, Side

from common.context import ANONYMOUS, SYSTEM_CALLER, Caller
from common.contracts.base import KNOWN, SIGNED_IN, SYSTEM, Request
from common.contracts.impersonation import PERMISSION as IMPERSONATES

NEUTRAL: dict[str, Any] = {
    "name": "Something new",
    "role": "member",
    "kind": "reset",
    "locale": "en",
    "to": "somebody@example.com",
    "changes": {},
    "password": PASSWORD,
    "current": PASSWORD,
    "reason": "to help them",
    "identifier": "https://another.example.com",
    "SeedRoles.template": "application",
    "SetMappedRoles.idp_id": "01900000-0000-7000-8000-00000000abcd",
    "SetMappedRoles.role_ids": ["user", "admin"],
    "PutTemplate.template": {"subject": "s", "text": "{{ code }}", "html": "{{ code }}"},
    "PutMailSender.sender": {"host": "mail.example.com", "from_address": "new@example.com"},
    "CreatePermission.name": "zoo:visit",
    "CreateScope.name": "visit",
    "EnsureApplication.slug": "a-slug-of-ours",
    "CreateRole.name": "Visitor",
    "CreateClient.id": None,
    "RotateClientSecret.id": None,
    "CreateClient.redirect_uris": ["https://another.example.com/cb"],
    "CreateOrganization.slug": None,
    "UpdatePermission.description": "changed",
    "UpdateRole.changes": {"name": "changed"},
    "UpdateUser.changes": {"name": "changed"},
    "UpdateApplication.changes": {"name": "changed"},
    "UpdateClient.changes": {"name": "changed"},
    "UpdateOrganization.changes": {"name": "changed"},
    "CompleteSignIn.code": None,
    "ConfirmFactor.code": None,
    "UpdateIdentityProvider.changes": {"display_name": "changed"},
    "CreateIdentityProvider.name": "another",
    "CreateIdentityProvider.preset": "github",
    "CreateIdentityProvider.client_secret": "secret",
    "CreateIdentityProvider.settings": {"client_id": "c"},
    "ChangeEmail.email": "fresh@example.com",
    "CreateUser.email": "fresh@example.com",
    "ImportUsers.users": [{"email": "fresh@example.com"}],
    "StartUserImport.users": [{"email": "fresh@example.com"}],
    "AddUserImportRows.users": [{"email": "fresh@example.com"}],
    "AddUserImportRows.first": 1,
    "StartUserBatch.act": "disable",
    "InviteUser.email": "fresh@example.com",
    "InviteMember.email": "fresh@example.com",
    "SignUp.email": "fresh@example.com",
    "StartPasskeySignUp.email": "fresh@example.com",
    "ClaimOwner.email": "fresh@example.com",
    "SendLinkProofCode.email": "fresh@example.com",
    "KeepFormPost.response": {"code": "c"},
    "AddCustomDomain.domain": "login.fresh.example.org",
    "AddOrganizationDomain.domain": "fresh.example",
    "PinClientDocument.client_id": "https://fresh.example/client.json",
    "PinClientDocument.document": {
        "client_id": "https://fresh.example/client.json",
        "redirect_uris": ["https://fresh.example/cb"],
    },
    "RegisterClient.metadata": {"redirect_uris": ["https://another.example.com/cb"]},
    "ReplaceRegistration.metadata": {"redirect_uris": ["https://another.example.com/cb"]},
}
"""Values for the other required fields of a contract. They name nothing of any application."""

NAMING = {
    "user_id", "org_id", "session_id", "session", "role_id", "permission_id", "client",
    "client_id", "secret_id", "invitation_id", "provider", "domain_id", "id", "token", "flow", "code",
    "params", "basic", "request", "slug", "confirm", "owner_org_id", "host", "domain", "key",
    "passkey_id", "application_id", "batch_id",
    "policy_id",
}  # fmt: skip
"""Fields that name an object. They are filled wherever `away` has a value, required or not."""

HELPING = {"browser", "password", "email"}
"""Fields that are sent together with a name. They are filled from `away` too."""


@dataclass(frozen=True)
class Case:
    request: Request[Any]
    named: tuple[str, ...]
    """The fields that name something of `away`."""


class NoCase(AssertionError):
    """A contract has a field without a known value. Add the value to tests/isolation/sides.py."""


def case(contract: type[Request[Any]], away: Side) -> Case:
    values: dict[str, Any] = {}
    named: list[str] = []
    for name, field in contract.model_fields.items():
        full = f"{contract.__name__}.{name}"
        if full in away.things:
            value = away.things[full]
            values[name] = value() if callable(value) else value
            named.append(name)
        elif full in NEUTRAL:
            values[name] = NEUTRAL[full]
        elif name in NAMING and name in away.things:
            values[name] = away.things[name]
            named.append(name)
        elif name in HELPING and name in away.things:
            values[name] = away.things[name]
        elif name == "checks":
            user, org = away.things["user_id"], away.things["org_id"]
            values[name] = [{"user_id": user, "permission": "users:read", "org_id": org}]
            named.append(name)
        elif full == "EvaluateAccess.evaluations":
            values[name] = [_evaluation(away)]
            named.append(name)
        elif field.is_required():
            if name not in NEUTRAL:
                raise NoCase(f"{full} is filled by nothing")
            values[name] = NEUTRAL[name]
    return Case(contract.model_validate(values), tuple(named))


def _evaluation(away: Side) -> dict[str, Any]:
    """A question about a user and an organization of `away`."""
    return {
        "subject": {"type": "user", "id": away.things["user_id"]},
        "action": {"name": "read"},
        "resource": {
            "type": "users",
            "id": "1",
            "properties": {"org_id": away.things["org_id"]},
        },
    }


def askers(contract: type[Request[Any]], home: Side) -> list[Caller]:
    """Returns the callers in `home` with the most rights for this kind of contract."""
    if contract.needs is None:
        return [ANONYMOUS]
    if contract.needs == SYSTEM:
        return [SYSTEM_CALLER]
    if contract.needs == SIGNED_IN:
        return [home.ada]
    if contract.needs == KNOWN:
        return [KEY_HOLDER, home.ada]
    if contract.needs == IMPERSONATES:  # nobody acts as a user without a session of their own
        permissions = frozenset({IMPERSONATES, f"zoo:{home.word}"})
        return [KEY_HOLDER, replace(home.ada, permissions=permissions)]
    return [KEY_HOLDER]
