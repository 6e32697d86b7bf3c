"""The gate: whether a sign-in may become a session, or what is missing.

Every way of signing in asks it at the end (`session_start`), with the user's row locked. An error in
a rule is a refusal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common import second_factor_rules
from common.contracts.sessions import HalfKind, SecondFactor
from common.contracts.sign_in import AccountDisabled, SsoRequired
from common.contracts.tenants import Tenant
from identity.authentication_result import AuthenticationResult
from identity.queries.sign_in_facts import SignInFacts

GUEST: Final = "guest"
"""The method by which a session of a guest starts."""


@dataclass(frozen=True)
class Missing:
    """The half session that a sign-in becomes first. `factors` are those that can complete it; none
    if the user has to enrol one."""

    kind: HalfKind
    factors: list[SecondFactor]


def check(
    tenant: Tenant, facts: SignInFacts, result: AuthenticationResult, *, operates: bool = False
) -> Missing | None:
    """Returns what is missing until the sign-in is complete, or None. With `operates` the user is an
    operator, who needs a second factor each time. Raises AccountDisabled, SsoRequired."""
    if facts.disabled:
        raise AccountDisabled
    if result.actor is not None:
        return None  # the actor has passed the gate of their own session
    if result.method == GUEST:
        return None  # they have no factor, and nothing of an earlier sign-in to protect
    if _lacks_sso(facts, result):
        raise SsoRequired
    if result.previous is not None and not result.upgrades_guest:
        return None  # a session already, which the user confirms or whose rights change
    if second_factor_rules.are_two(result.factors, result.amr):
        return None
    policy = "required" if operates else tenant.settings.mfa_policy
    asked = second_factor_rules.to_ask(policy, facts.second_factors)
    if asked:
        skips = not operates and _skips(tenant, facts)
        return None if skips else Missing("mfa_required", asked)
    if policy == "required":
        return Missing("mfa_setup_required", [])
    return None


def closed_organizations(facts: SignInFacts, result: AuthenticationResult) -> list[str]:
    """Returns the organizations that cannot be active in the session, because they require their own
    provider."""
    return [id for id in facts.sso_org_ids if id != result.sso_org_id]


def _lacks_sso(facts: SignInFacts, result: AuthenticationResult) -> bool:
    """Returns whether an organization requires its own provider and the user has shown another factor.
    The owner link of the deployment stays open: its holder controls the database."""
    if not facts.sso_org_ids or result.sso_org_id in facts.sso_org_ids:
        return False
    renews = result.previous is not None and result.factor is None
    return not renews and "owner_link" not in result.factors


def _skips(tenant: Tenant, facts: SignInFacts) -> bool:
    """Returns whether this browser may skip the second factor. The session then has one factor. The
    setting may have been lowered since the device was remembered."""
    days = tenant.settings.mfa_remember_device_days
    return facts.device_age is not None and facts.device_age < days
