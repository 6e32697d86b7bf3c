"""The way to a provider for a signed-in user who confirms the session."""

from __future__ import annotations

from common.contracts.provider_sign_in import StartProviderStepUp
from gateway.http import csrf
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.render import PageView
from gateway.state import SignedInUser


async def to_provider(
    page: PageView, user: SignedInUser, idp: str, destination: str
) -> GatewayResponse:
    """Sends the user to the provider, which asks them to sign in. A new sign-in alone would not be fresh.
    Raises ValidationError, MethodOff, ProviderNotFound, ProviderAway."""
    call = StartProviderStepUp(
        idp=idp,
        browser=csrf.browser_id(page.gateway.settings, page.request),
        destination=destination,
        locale=page.language.code,
    )
    ctx = page.request.context(user.caller)
    return redirect((await page.gateway.bus.call(ctx, call)).url)
