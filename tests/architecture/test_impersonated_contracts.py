"""Somebody who acts as a user reads what the user reads, and changes little."""

from __future__ import annotations

import pytest
from tests.architecture.source import contracts

from common.contracts.base import SYSTEM

CHANGES = {
    "identity.me.update",
    "tenancy.invitation.create",
    "tenancy.member.update",
    "tenancy.organization.create",
    "tenancy.organization.update",
}
"""The changes that an actor may make: the profile, and the user's organizations."""
READS = {
    *("check", "count", "follow", "get", "find", "holders", "list", "list_own", "list_public"),
    *("list_user", "manage", "mine", "of_user", "offer", "own", "preview", "resolve", "route"),
    *("checkpoints", "introspect", "state", "verify"),
    "evaluate",
}
"""The last words of subjects that only read."""
REFUSED = (
    *("identity.me.change_email", "identity.me.delete", "identity.me.export"),
    *("identity.password.change", "identity.session.revoke_all", "identity.user.export"),
    *("identity.totp.set_up", "identity.recovery_code.regenerate", "identity.device.revoke"),
    *("identity.impersonation.start", "oidc.client_secret.rotate", "tenancy.api_key.create"),
    *("oidc.grant.revoke_own", "rbac.assignment.create", "tenancy.audit.export"),
)


def test_an_actor_makes_only_these_changes() -> None:
    """A new contract that changes something is refused to an actor, unless it comes into the list."""
    allowed = {
        subject
        for subject, contract in contracts().items()
        if contract.impersonated and contract.needs != SYSTEM
    }
    assert {one for one in allowed if one.rpartition(".")[2] not in READS} == CHANGES


@pytest.mark.parametrize("subject", REFUSED)
def test_an_actor_is_refused(subject: str) -> None:
    """Credentials, keys, consent, exports and the rights of others are out of reach."""
    assert not contracts()[subject].impersonated
