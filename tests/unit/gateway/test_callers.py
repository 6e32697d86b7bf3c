"""Who a session or an access token stands for, and when they last proved it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common import acr
from common.contracts.app_settings import AppSettings, MfaPolicy
from common.contracts.rights import Rights
from common.contracts.sessions import Session
from common.contracts.tenants import Tenant
from common.contracts.tokens import AccessToken
from common.ids import DASHBOARD, new_id
from gateway.auth import callers

NOW = int(time.time())
OPERATOR = Rights(permissions=["platform:manage", "apps:read:all", "apps:create", "apps:read"])


def tenant(policy: MfaPolicy = "off", app_id: str | None = None) -> Tenant:
    return Tenant(
        app_id=app_id or new_id(),
        slug="shop",
        name="Shop",
        state="active",
        host="shop.example.org",
        origin="https://shop.example.org",
        hosts=["shop.example.org"],
        is_dashboard=app_id == DASHBOARD,
        settings=AppSettings(mfa_policy=policy),
    )


def session(**fields: Any) -> Session:
    now = datetime.fromtimestamp(NOW, UTC)
    usual = {"id": new_id(), "user_id": new_id(), "auth_time": now, "created_at": now}
    return Session(**usual | {"expires_at": now + timedelta(hours=1)} | fields)


def token(**fields: Any) -> AccessToken:
    now = datetime.fromtimestamp(NOW, UTC)
    usual = {"jti": new_id(), "client_id": "c", "user_id": new_id(), "scopes": ["account"]}
    return AccessToken(**usual | {"auth_time": now, "expires_at": now} | fields)


def test_a_second_factor_counts_where_it_is_asked_for() -> None:
    """Where the application asks this user for a second factor, only that proves who they are."""
    of = session(factor_times={"password": NOW, "totp": NOW - 5000}, second_factors=["totp"])
    asked = callers.of_session(tenant("optional"), of, Rights(), "required")
    others = callers.of_session(tenant("off"), of, Rights(), "required")

    assert (asked.two_factors, asked.proven_at) == (True, NOW - 5000)
    assert (others.two_factors, others.proven_at) == (False, NOW)


def test_a_session_is_not_a_token() -> None:
    """A refusal differs between the two, so the caller says which it is."""
    assert not callers.of_session(tenant(), session(), Rights(), "required").by_token
    assert callers.of_token(tenant(), token(), "required").by_token


@pytest.mark.parametrize(
    ("fields", "proven"),
    [
        ({"acr": acr.TWO_FACTORS, "factor_times": {"totp": NOW - 60}}, NOW - 60),
        ({"acr": acr.TWO_FACTORS, "factor_times": {"totp": NOW + 60}}, NOW),
        ({"acr": acr.PASSWORD, "factor_times": {"password": NOW, "totp": NOW}}, None),
        ({"acr": acr.TWO_FACTORS, "factor_times": {}}, None),
        ({"acr": acr.TWO_FACTORS, "auth_time": None}, None),
    ],
    ids=["before", "after", "one factor", "no times", "no session"],
)
def test_a_token_proves_what_was_true_when_it_was_issued(
    fields: dict[str, Any], proven: int | None
) -> None:
    """A step-up in the session proves nothing for an older token: the client asks for a new one."""
    of = token(second_factors=["totp"], **fields)

    assert callers.of_token(tenant("optional"), of, "required").proven_at == proven


def test_an_operator_without_factor_is_a_developer() -> None:
    """Until an operator shows a second factor, they have no more than a developer's permissions."""
    dashboard = tenant("optional", DASHBOARD)
    half = callers.of_session(dashboard, session(acr=acr.PASSWORD), OPERATOR, "required")
    whole = callers.of_session(dashboard, session(acr=acr.TWO_FACTORS), OPERATOR, "required")
    free = callers.of_session(dashboard, session(acr=acr.PASSWORD), OPERATOR, "optional")

    assert (half.lacks_factor, half.permissions) == (True, frozenset({"apps:create", "apps:read"}))
    assert (whole.lacks_factor, whole.permissions) == (False, frozenset(OPERATOR.permissions))
    assert (free.lacks_factor, free.permissions) == (False, frozenset(OPERATOR.permissions))


def test_an_operators_token_needs_the_factor_too() -> None:
    """A token of an operator is no way round the second factor."""
    dashboard = tenant("optional", DASHBOARD)
    weak = token(acr=acr.PASSWORD, permissions=OPERATOR.permissions)
    strong = token(acr=acr.TWO_FACTORS, permissions=OPERATOR.permissions)

    assert callers.of_token(dashboard, weak, "required").lacks_factor
    assert not callers.of_token(dashboard, strong, "required").lacks_factor


def test_the_permission_means_nothing_in_other_applications() -> None:
    """An application may have a permission with the operators' name."""
    caller = callers.of_session(tenant(), session(), OPERATOR, "required")

    assert (caller.lacks_factor, caller.permissions) == (False, frozenset(OPERATOR.permissions))
