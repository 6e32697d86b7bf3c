"""Operations whose success cannot be shown, each with its reason. They are tried across all the same."""

from __future__ import annotations

from typing import Final

from aero2.isolation.operations import Operation
from aero2.isolation.recipes import recipe_of

MAILED: Final = "needs a code or link that is only in a mail"
SENDS: Final = "would send a mail"
PROVIDER: Final = "needs a user's account at an identity provider"
PASSKEY: Final = "needs a passkey, which only an authenticator has"
ENROLLING: Final = "needs a policy that makes users set up a second factor"
DOMAIN: Final = "needs a domain whose DNS the canary has"
CUSTOM_DOMAIN: Final = "would take up a domain, perhaps at a DNS provider"
REGISTERS: Final = "needs a client that registered itself, and the canary lets nobody do so"
DEVICE: Final = "needs a device whose code a user has typed"
OPERATOR: Final = "is for operators, who may see every application"

REASONS: Final = {
    "POST /api/auth/code/verify": MAILED,
    "POST /api/auth/link": MAILED,
    "POST /api/auth/reset/finish": MAILED,
    "POST /api/auth/verify-email": MAILED,
    "POST /api/auth/invitation": MAILED,
    "POST /api/auth/invitation/accept": MAILED,
    "POST /api/auth/owner/claim": "needs the link of the first operator",
    "POST /api/organizations/invitation": MAILED,
    "POST /api/organizations/accept-invitation": MAILED,
    "POST /api/users/me/email/verify": MAILED,
    "DELETE /api/mail-sender": "the canary would send mail through the platform's server",
    "POST /api/mail-sender/test": SENDS,
    "POST /api/mail-templates/{kind}/{locale}/test": SENDS,
    "POST /api/idps/{id}/test": "would ask an identity provider",
    "GET /api/users/{user_id}/identities/{link_id}/token": PROVIDER,
    "DELETE /api/users/{id}/identities/{link_id}": PROVIDER,
    "DELETE /api/users/me/identities/{link_id}": PROVIDER,
    "POST /api/auth/passkey/verify": PASSKEY,
    "POST /api/auth/passkey/setup/verify": PASSKEY,
    "POST /api/auth/passkey/confirm/verify": PASSKEY,
    "POST /api/auth/passkey/confirm/options": PASSKEY,
    "POST /api/auth/passkey/signup/verify": PASSKEY,
    "POST /api/users/me/passkeys": PASSKEY,
    "PUT /api/users/me/passkeys/{id}": PASSKEY,
    "DELETE /api/users/me/passkeys/{id}": PASSKEY,
    "DELETE /api/users/{id}/passkeys/{passkey_id}": PASSKEY,
    "POST /api/organizations/{org_id}/domains/{domain_id}/verify": DOMAIN,
    "PATCH /api/organizations/{org_id}/domains/{domain_id}": DOMAIN,
    "POST /api/applications/{slug}/domains": CUSTOM_DOMAIN,
    "PUT /api/applications/{slug}/domains/primary": CUSTOM_DOMAIN,
    "POST /api/applications/{slug}/domains/{id}/verify": CUSTOM_DOMAIN,
    "DELETE /api/applications/{slug}/domains/{id}": CUSTOM_DOMAIN,
    "POST /api/auth/second-factor/totp/setup": ENROLLING,
    "POST /api/auth/second-factor/totp/verify": ENROLLING,
    "POST /api/auth/passkey/setup/options": ENROLLING,
    "POST /api/auth/passkey/second-factor/options": PASSKEY,
    "POST /api/auth/passkey/second-factor/verify": PASSKEY,
    "GET /api/applications/{slug}/users/me/audit": "is for users of the application alone",
    "DELETE /api/users/me/mfa/devices/{id}": "needs a browser that is remembered",
    "DELETE /api/users/{id}/device-sign-ins/{device_id}": DEVICE,
    "DELETE /api/users/me/device-sign-ins/{device_id}": DEVICE,
    "POST /oauth2/register": REGISTERS,
    "GET /oauth2/register/{client_id}": REGISTERS,
    "PUT /oauth2/register/{client_id}": REGISTERS,
    "DELETE /oauth2/register/{client_id}": REGISTERS,
}


def reason_of(operation: Operation) -> str | None:
    """Returns why success of an operation cannot be shown. None if it can."""
    if recipe_of(operation.recipe).by == "operator":
        return OPERATOR
    return REASONS.get(operation.name) or REASONS.get(operation.recipe)


NOTHING: Final = "names nothing of an application, and anybody may do it"
PRESENTED: Final = "works on the sign-in that the request presents, and names nothing else"
UNTRIED: Final = {
    "POST /api/auth/signout": NOTHING,
    "POST /oauth2/register": NOTHING,
    "POST /api/auth/passkey/options": NOTHING,
    "POST /api/auth/passkey/second-factor/options": PRESENTED,
    "POST /api/auth/passkey/setup/options": PRESENTED,
    "DELETE /api/auth/second-factor": PRESENTED,
    "POST /api/auth/second-factor/totp/setup": PRESENTED,
    "POST /api/auth/second-factor/totp/verify": PRESENTED,
    "PUT /api/platform/developers/{id}/operator": "would make an operator where isolation is broken",
}
"""Operations that are not tried across."""
