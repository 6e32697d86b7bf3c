"""Freshness: whether the caller of a sensitive call has proven who they are a short time ago.

A contract with `fresh=True` needs it (`contracts.base`). Only users and developers can prove it. Keys,
clients and the services themselves have nobody to ask.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from common import acr, clock
from common.context import Caller, Context
from common.contracts.base import KNOWN, SIGNED_IN, Request
from common.contracts.sessions import Factor, FreshSignInNeeded
from common.contracts.step_up import FreshTokenNeeded, SecondFactorNeeded
from common.ids import DASHBOARD
from common.operator_rules import OPERATES
from common.second_factor_rules import SECOND_FACTORS

MAX_AGE: Final = 900
"""Seconds."""


def check(caller: Caller, contract: type[Request[Any]] | None = None) -> None:
    """Raises FreshSignInNeeded for a session, and FreshTokenNeeded for an access token, if the
    caller's last proof is older than MAX_AGE. A guest has nothing to prove who they are with.

    Raises SecondFactorNeeded if an operator without second factor calls a contract that takes away or
    hands over what exists in an application."""
    if caller.kind not in ("user", "developer") or caller.guest:
        return
    if caller.lacks_factor and contract is not None and _takes_away(contract):
        raise SecondFactorNeeded
    if is_fresh(caller):
        return
    needed = acr.TWO_FACTORS if caller.two_factors else acr.ONE_FACTOR
    if caller.by_token:
        raise FreshTokenNeeded(acr_values=needed, max_age=MAX_AGE)
    raise FreshSignInNeeded(acr_values=needed, max_age=MAX_AGE)


def check_operators(ctx: Context, permissions: Collection[str]) -> None:
    """Raises FreshSignInNeeded or FreshTokenNeeded if these permissions make operators of the Dashboard
    and the caller signed in too long ago. Others are given and taken without a new sign-in."""
    if ctx.app_id == DASHBOARD and OPERATES in permissions:
        check(ctx.caller)


def _takes_away(contract: type[Request[Any]]) -> bool:
    """Returns whether the contract changes what exists in an application. Creating is harmless, and so
    are changes of the caller's own account: enrolling a factor is one."""
    of_account = contract.needs in (KNOWN, SIGNED_IN)
    return not of_account and not contract.subject.endswith(".create")


def is_fresh(caller: Caller) -> bool:
    """Returns whether the caller's last proof is at most MAX_AGE old."""
    return caller.proven_at is not None and caller.proven_at + MAX_AGE >= clock.now()


def proven_at(
    factor_times: Mapping[Factor, int], auth_time: datetime, *, two_factors: bool
) -> int | None:
    """Returns when the user of a session last proved who they are, in epoch seconds. With
    `two_factors` only a second factor counts. None: never in this session.

    A session that is older than factor times counts from its `auth_time`."""
    if not two_factors:
        return max(factor_times.values(), default=int(auth_time.timestamp()))
    return max(
        (factor_times[name] for name in SECOND_FACTORS if name in factor_times), default=None
    )
