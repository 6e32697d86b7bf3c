"""OpenID Connect Core section 5.5.1.1, RFC 9470 section 5: who wants another class of sign-in than
the session's is given it where that is possible. The token tells the truth in any case."""

from __future__ import annotations

from common import acr
from common.context import Context
from common.contracts.oidc import Authorization, UnmetAuthenticationRequirements
from oidc import contexts, interaction
from oidc.deps import Deps
from oidc.request import Asked


async def context_is_met(deps: Deps, ctx: Context, asked: Asked) -> Authorization | None:
    assert asked.session is not None
    held = asked.session.acr or acr.ONE_FACTOR
    met = acr.satisfied(held, asked.contexts)
    asked.acr = met or held
    if met or not asked.contexts:
        return None
    asked_before = asked.prompted("signed_in")
    if not asked.silent and not asked_before and await contexts.reachable(deps, ctx, asked):
        return await interaction.sign_in(deps, ctx, asked, afresh=True)
    if asked.context_essential:
        raise UnmetAuthenticationRequirements
    return None
