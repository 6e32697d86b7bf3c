"""The buttons that sign in with identity providers: each is a link, and works without scripts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common import logs
from common.contracts.identity_providers import ListPublicProviders, PublicProviders
from common.problems import Problem
from gateway.http.request import GatewayRequest
from gateway.pages.fields import at
from gateway.state import Gateway

log = logs.get(__name__)
START: Final = "/rp/authorize"
YEAR: Final = 31_536_000
CARRIED: Final = ("request", "return_to", "invitation", "again")


@dataclass(frozen=True)
class ProviderButton:
    """A button. `mark` is one letter: the marks of other companies are theirs."""

    name: str
    label: str
    mark: str
    last_used: bool

    def link(self, carried: dict[str, str | None]) -> str:
        """Returns where the button leads. `carried` says where the user is going, and whether they
        confirm who they are (`again`)."""
        onward = {name: carried.get(name) for name in CARRIED}
        return at(START, idp=self.name, **onward)


async def prepare(gateway: Gateway, request: GatewayRequest) -> None:
    """Looks the application's providers up for the pages of this request. The pages work without them,
    so a failure only hides the buttons."""
    if "oauth" not in request.app.settings.auth_methods:
        return
    try:
        public = await listed(gateway, request)
        request.state.providers = tuple(public.idps)
        request.state.sign_in_by_address = public.by_address
    except Problem as problem:
        log.warning("providers not listed", code=problem.code)


async def listed(gateway: Gateway, request: GatewayRequest) -> PublicProviders:
    """Returns the enabled providers that anybody can sign in with, in the application's order."""
    ctx = request.context()

    async def load() -> PublicProviders:
        return await gateway.bus.call(ctx, ListPublicProviders())

    return await gateway.providers.fetch(
        (ctx.app_id, "providers"),
        load,
        tags=lambda _: [("identity_provider", "all"), ("application", ctx.app_id)],
    )


def buttons(request: GatewayRequest) -> list[ProviderButton]:
    """Returns the buttons of this request's page: the provider that this browser used last comes first."""
    last = request.cookie(_cookie(request))
    made = [
        ProviderButton(one.name, one.display_name, one.display_name[:1].upper(), one.name == last)
        for one in request.state.providers
    ]
    return sorted(made, key=lambda one: not one.last_used)


def remember_last_used(request: GatewayRequest, name: str) -> None:
    """Remembers the provider that signed this browser in."""
    request.set_cookie(_cookie(request), name, YEAR)


def _cookie(request: GatewayRequest) -> str:
    return "__Host-aero2_idp" if request.secure else "aero2_idp"
