"""A preview of the hosted pages with a branding that is perhaps not saved yet. It is the real template,
under a policy that lets nothing in it act: no script, no form, no cookie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from markupsafe import Markup

from common.contracts.identity_providers import ListPublicProviders
from common.contracts.tenants import Tenant
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse
from gateway.pages.branding import origin_of
from gateway.pages.fields import at
from gateway.pages.languages import OFFERED, first_of, language
from gateway.pages.render import PageView

Scheme = Literal["light", "dark"]
SCHEMES: Final[tuple[Scheme, ...]] = ("light", "dark")


@dataclass
class BrandPreview(PageView):
    """The sign-in page of `previewed`, for somebody who only looks at it."""

    previewed: Tenant | None = None
    scheme: Scheme = "light"
    """The colours, whatever the device prefers. A page with it has no scripts."""

    @property
    def app(self) -> Tenant:
        assert self.previewed is not None
        return self.previewed

    def csrf_field(self) -> Markup:
        return Markup()

    def policy(self, frames: list[str]) -> str:
        """Returns a policy that makes the page inert. It names the origin, because 'self' means nothing
        to a sandboxed page."""
        own = self.request.app.origin
        pictures = sorted({origin_of(url) or "" for url in self.pictures})
        return "; ".join(
            (
                "default-src 'none'",
                f"style-src {own}",
                " ".join(("img-src", own, *pictures)),
                "base-uri 'none'",
                "form-action 'none'",
                f"frame-ancestors {own}",
                "sandbox",
            )
        )


async def show_preview(visit: Visit, previewed: Tenant) -> GatewayResponse:
    """Returns the sign-in page as it will be. `scheme` forces the light or the dark one."""
    methods = previewed.settings.auth_methods
    if "oauth" in methods:
        providers = await visit.call(ListPublicProviders())
        visit.request.state.providers = tuple(providers.idps)
    code = first_of(visit.fields.get("ui_locales"), previewed.settings.default_locale)
    page = BrandPreview(
        visit.gateway,
        visit.request,
        None,
        language(code or OFFERED[0]),
        scheme="dark" if visit.fields.get("scheme") == "dark" else "light",
        previewed=previewed,
    )
    return page.show(
        "sign_in.html",
        carried={},
        client=None,
        mails=False,
        offered={"password", "email_code", "magic_link"} & set(methods),
        work_only=False,
        passkeys=False,
        onward="",
        sign_up=at(visit.request.path) if previewed.settings.signup_mode == "open" else None,
        others=None,
        may_stay=True,
        stay=False,
    )
