"""Calls that take over an account or an application need a fresh proof of who calls."""

from __future__ import annotations

from tests.architecture.source import contracts

from common.contracts.base import OPEN, SYSTEM
from common.operator_rules import OF_EVERY_DEVELOPER, OPERATES
from rbac.role_templates import TEMPLATES

FRESH = {
    "identity.factor.reset_user",
    "identity.identity_link.remove_own",
    "identity.impersonation.start",
    "identity.mail_sender.put",
    "identity.platform.search_users",
    "identity.support_view.open",
    "identity.me.change_email",
    "identity.me.delete",
    "identity.passkey.add",
    "identity.passkey.options",
    "identity.passkey.remove",
    "identity.password.change",
    "identity.provider.create",
    "identity.provider.delete",
    "identity.provider.start_link",
    "identity.provider.update",
    "identity.recovery_code.regenerate",
    "identity.totp.confirm",
    "identity.totp.remove",
    "identity.totp.set_up",
    "identity.user.delete",
    "identity.user_batch.delete",
    "oidc.client.delete",
    "oidc.client_secret.delete",
    "oidc.client_secret.rotate",
    "oidc.exchange_policy.create",
    "oidc.signing_key.rotate",
    "rbac.role.delete",
    "tenancy.api_key.create",
    "tenancy.api_key.revoke",
    "tenancy.api_key.rotate",
    "tenancy.application.delete",
    "tenancy.application.transfer",
    "tenancy.organization.delete",
}
"""Keys, secrets, deletion, transfer, who acts for users, and whatever decides how a user signs in."""


def test_the_list_is_complete() -> None:
    """A new call of this kind comes into the list, and none leaves it unnoticed."""
    assert {subject for subject, contract in contracts().items() if contract.fresh} == FRESH


def test_only_people_can_be_asked() -> None:
    """A contract of the system, or one for everybody, has no caller who could prove anything."""
    assert [s for s in FRESH if contracts()[s].needs in (OPEN, SYSTEM)] == []


def test_an_operator_without_factor_is_a_developer() -> None:
    """What operators can do before they show a second factor is what every developer can do."""
    roles = {role.id: role for role in TEMPLATES["dashboard"].roles}

    assert set(roles["developer"].permissions) == OF_EVERY_DEVELOPER
    assert OPERATES not in OF_EVERY_DEVELOPER
