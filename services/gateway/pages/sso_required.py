"""Single sign-on of organizations: the address of their provider, and the page that leads there."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs, urlsplit

from common.contracts.sign_in import SsoRequired
from gateway.pages import default_destination
from gateway.pages.fields import at, local
from gateway.pages.render import PageView

AUTHORIZE: Final = "/rp/authorize"


def provider_address(idp: str, destination: str, *, email: str | None = None) -> str:
    """Returns the address at which a sign-in with the provider starts. `email` is a hint for it."""
    return at(AUTHORIZE, idp=idp, redirect_uri=destination, login_hint=email)


def explanation(
    page: PageView, error: SsoRequired, *, otherwise: tuple[str, str] | None
) -> tuple[str, str, tuple[str, str] | None]:
    """Returns the heading of the page, its text, and the button that leads to the provider."""
    heading = page.translate("Your organization signs in its own way")
    idp, name = error.extra.get("idp"), error.extra.get("idp_name")
    if not idp:
        says = page.translate(
            "Its sign-in is switched off at the moment. Contact your organization."
        )
        return heading, says, otherwise
    says = page.translate(
        "Your organization requires you to sign in with %(provider)s.", provider=name
    )
    button = page.translate("Continue with %(provider)s", provider=name)
    return heading, says, (provider_address(str(idp), _destination(page)), button)


def _destination(page: PageView) -> str:
    """Returns where the refused form leads: to a pending request, or to a page of this host."""
    query = parse_qs(urlsplit(page.request.state.form_page or "").query)
    if pending := query.get("request"):
        return at("/oauth2/authorize/resume", request=pending[0])
    return local(query.get("return_to", [None])[0], default_destination.of(page.app))
