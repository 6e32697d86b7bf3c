"""Checks of the caller, for calls that only a user of this application may make."""

from __future__ import annotations

from dataclasses import dataclass, replace

from common.context import Context
from common.ids import DASHBOARD
from common.problems import Forbidden


@dataclass(frozen=True)
class SignedInOperator:
    """An operator who is signed in to the Dashboard, in person."""

    id: str
    session_id: str


def the_user(ctx: Context) -> str:
    """Returns the id of the calling user. A developer who acts in another application is not a user
    of it. Raises Forbidden."""
    user_id = ctx.caller.user_id
    if user_id is None:
        raise Forbidden("only a user of this application may do this")
    return user_id


def check_dashboard(ctx: Context) -> None:
    """Raises Forbidden outside the Dashboard: an application may have permissions of the same names,
    which mean nothing here."""
    if ctx.app_id != DASHBOARD:
        raise Forbidden("only in the Dashboard")


def the_operator(ctx: Context) -> SignedInOperator:
    """Returns the calling operator. The contract has checked the permission. Raises Forbidden outside
    the Dashboard, and for a key, a token, or somebody who acts as another user."""
    check_dashboard(ctx)
    caller = ctx.caller
    in_person = caller.kind == "user" and not caller.by_token and caller.actor_id is None
    if not in_person or caller.id is None or caller.session_id is None:
        raise Forbidden("only somebody who is signed in can look at users of other applications")
    return SignedInOperator(caller.id, caller.session_id)


def inside(ctx: Context, app_id: str, home: str) -> Context:
    """Returns the context of an operator's event in another application, where they are a developer
    without permissions."""
    if app_id == ctx.app_id:
        return ctx
    caller = replace(
        ctx.caller, kind="developer", permissions=frozenset(), session_id=None, org_id=None
    )
    return ctx.with_application(app_id, home).with_caller(caller)
