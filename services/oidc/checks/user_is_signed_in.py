"""OpenID Connect Core section 3.1.2.3: a session, chosen where that was asked for."""

from __future__ import annotations

from common.context import Context
from common.contracts.oidc import AccountSelectionRequired, Authorization, LoginRequired
from oidc import prompts
from oidc.deps import Deps
from oidc.request import Asked


async def user_is_signed_in(deps: Deps, ctx: Context, asked: Asked) -> Authorization | None:
    if asked.session is None:
        if asked.silent:
            raise LoginRequired
        # Whatever max_age says: the sign-in that this brings about is new enough.
        return await prompts.sign_in(deps, ctx, asked, afresh=True)
    return None


async def account_is_selected(deps: Deps, ctx: Context, asked: Asked) -> Authorization | None:
    if "select_account" not in asked.prompts or asked.selected or asked.prompted("signed_in"):
        return None
    if asked.prompted("select_account") and _another_account(asked):
        return None
    if asked.silent:
        raise AccountSelectionRequired
    return await prompts.select_account(deps, ctx, asked)


def _another_account(asked: Asked) -> bool:
    """Since the page was shown, the person has signed in to another account."""
    assert asked.pending is not None
    assert asked.session is not None
    return asked.pending.session_id != asked.session.session_id
