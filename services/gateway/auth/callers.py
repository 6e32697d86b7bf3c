"""The callers that sessions and access tokens stand for: who they are, and when they last proved it."""

from __future__ import annotations

from common import acr, freshness, operator_rules, second_factor_rules
from common.context import Caller
from common.contracts.app_settings import MfaPolicy
from common.contracts.rights import Rights
from common.contracts.sessions import Session
from common.contracts.tenants import Tenant
from common.contracts.tokens import AccessToken
from common.operator_rules import OperatorMfa


def of_session(app: Tenant, session: Session, rights: Rights, operator_mfa: OperatorMfa) -> Caller:
    """Returns the user of a session. An operator who lacks a second factor has the permissions of a
    developer."""
    permissions = frozenset(rights.permissions)
    classes = acr.of_session(session.acr, session.factor_times, session.amr)
    lacks_factor = app.is_dashboard and operator_rules.without_factor(
        permissions, classes, operator_mfa
    )
    policy = _policy(app, permissions, operator_mfa)
    two_factors = bool(second_factor_rules.to_ask(policy, session.second_factors))
    actor = session.actor
    return Caller(
        kind="user",
        id=session.user_id,
        permissions=permissions & operator_rules.OF_EVERY_DEVELOPER
        if lacks_factor
        else permissions,
        teams=frozenset(rights.teams),
        session_id=session.id,
        org_id=session.active_org_id,
        guest=session.guest,
        actor_id=actor.id if actor else None,
        actor_kind=actor.kind if actor else "user",
        proven_at=freshness.proven_at(
            session.factor_times, session.auth_time, two_factors=two_factors
        ),
        two_factors=two_factors,
        lacks_factor=lacks_factor,
    )


def of_token(app: Tenant, token: AccessToken, operator_mfa: OperatorMfa) -> Caller:
    """Returns the user of an access token, or the client if it has none."""
    permissions = frozenset(token.permissions)
    if token.user_id is None:
        return Caller("client", token.client_id, permissions)
    classes = {token.acr or acr.ONE_FACTOR}
    lacks_factor = app.is_dashboard and operator_rules.without_factor(
        permissions, classes, operator_mfa
    )
    policy = _policy(app, permissions, operator_mfa)
    two_factors = bool(second_factor_rules.to_ask(policy, token.second_factors))
    return Caller(
        kind="user",
        id=token.user_id,
        permissions=permissions & operator_rules.OF_EVERY_DEVELOPER
        if lacks_factor
        else permissions,
        session_id=token.session_id,
        org_id=token.org_id,
        delegated="account" not in token.scopes,
        guest=token.guest,
        actor_id=token.actor_id,
        actor_kind=token.actor_kind,
        proven_at=_proven_by_token(token, two_factors=two_factors),
        two_factors=two_factors,
        by_token=True,
        lacks_factor=lacks_factor,
    )


def _policy(app: Tenant, permissions: frozenset[str], operator_mfa: OperatorMfa) -> MfaPolicy:
    """Returns whether users like this one must have a second factor."""
    operates = app.is_dashboard and operator_rules.OPERATES in permissions
    return "required" if operates and operator_mfa == "required" else app.settings.mfa_policy


def _proven_by_token(token: AccessToken, *, two_factors: bool) -> int | None:
    """Returns when the user last proved who they are, as the token says: a step-up after the token
    was issued does not count, until the client has a new token (RFC 9470 section 4)."""
    if token.auth_time is None or (two_factors and token.acr != acr.TWO_FACTORS):
        return None
    proven = freshness.proven_at(token.factor_times, token.auth_time, two_factors=two_factors)
    return None if proven is None else min(proven, int(token.auth_time.timestamp()))
