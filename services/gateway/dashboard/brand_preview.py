"""A preview of the hosted pages with a branding that is perhaps not saved yet. It is the real template,
under a policy that lets nothing in it act: no script, no form, no cookie."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from markupsafe import Markup

from common.context import ANONYMOUS
from common.contracts.identity_providers import ListPublicProviders
from common.contracts.sessions import Session
from common.contracts.tenants import Tenant
from common.ids import DASHBOARD
from common.message_ids import N_
from gateway.dashboard.preview_frame import inert_policy
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse
from gateway.pages import assets
from gateway.pages.branding import origin_of
from gateway.pages.fields import at
from gateway.pages.languages import OFFERED, first_of, language
from gateway.pages.render import PageView
from gateway.pages.scope_texts import SCOPE_TEXTS
from gateway.pages.sign_up import password_hint
from gateway.state import SignedInUser

Scheme = Literal["light", "dark"]
SCHEMES: Final[tuple[Scheme, ...]] = ("light", "dark")
EXAMPLE_EMAIL: Final = "mira@example.com"
EXAMPLE_TIME: Final = datetime(2026, 1, 1, tzinfo=UTC)
EXAMPLE_SCOPES: Final = ("openid", "profile", "email", "offline_access")
BY_MAIL: Final = frozenset({"email_code", "magic_link"})


@dataclass
class BrandPreview(PageView):
    """A hosted page of `previewed`, for somebody who only looks at it."""

    previewed: Tenant | None = None
    scheme: Scheme = "light"
    """The colours, whatever the device prefers. A page with it has no scripts."""

    @property
    def app(self) -> Tenant:
        assert self.previewed is not None
        return self.previewed

    def csrf_field(self) -> Markup:
        return Markup()

    @property
    def sprite(self) -> Markup:
        """The icons as part of the page: a sandboxed page may not use those of a file."""
        symbols = assets.assets()[self.icons].text.body.decode()
        return Markup(symbols.replace("<svg", "<svg hidden", 1))  # noqa: S704

    def _variables(self) -> dict[str, Any]:
        return super()._variables() | {"icons": ""}

    def policy(self, frames: list[str]) -> str:
        """Returns a policy that makes the page inert."""
        own = self.request.app.origin
        pictures = {origin_of(url) or "" for url in self.pictures}
        return inert_policy(own, styles=own, pictures={own, *pictures})


Variables = Callable[[BrandPreview], Mapping[str, Any]]
"""Returns what the template of a page needs."""


@dataclass(frozen=True)
class PreviewedPage:
    """A hosted page that can be previewed."""

    key: str
    name: str
    template: str
    variables: Variables
    is_signed_in: bool = False


def _sign_in(page: BrandPreview) -> Mapping[str, Any]:
    settings = page.app.settings
    return {
        "carried": {},
        "client": None,
        "mails": False,
        "offered": {"password", *BY_MAIL} & set(settings.auth_methods),
        "work_only": False,
        "passkeys": False,
        "onward": "",
        "sign_up": at(page.request.path) if settings.signup_mode == "open" else None,
        "others": None,
        "may_stay": True,
        "stay": False,
    }


def _sign_up(page: BrandPreview) -> Mapping[str, Any]:
    methods = set(page.app.settings.auth_methods)
    return {
        "carried": {},
        "heading": page.translate(N_("Create account")),
        "says": None,
        "closed": None,
        "fixed_email": None,
        "with_password": "password" in methods,
        "without_too": bool(BY_MAIL & methods),
        "password_hint": password_hint(page),
        "sign_in": at(page.request.path),
        "with_passkey": False,
        "button": page.translate(N_("Create account")),
        "action": "",
    }


def _code(page: BrandPreview) -> Mapping[str, Any]:
    return {
        "carried": {},
        "email": EXAMPLE_EMAIL,
        "signing_up": False,
        "action": "",
        "change": None,
        "resend": None,
        "with_link": "magic_link" in page.app.settings.auth_methods,
        "with_code": True,
        "button": page.translate(N_("Sign in")),
        "ends_in": 600,
        "resend_in": 0,
    }


def _consent(page: BrandPreview) -> Mapping[str, Any]:
    asks = (SCOPE_TEXTS[scope] for scope in EXAMPLE_SCOPES)
    return {
        "carried": {},
        "client": page.translate(N_("Example client")),
        "asks": [(sign, page.translate(sentence)) for sign, sentence in asks],
        "site": "client.example",
        "claimed_name": None,
        "on_device": False,
        "back_to_device": False,
        "policy_uri": None,
        "tos_uri": None,
        "switch": at(page.request.path),
    }


PAGES: Final = (
    PreviewedPage("sign_in", N_("Sign in"), "sign_in.html", _sign_in),
    PreviewedPage("sign_up", N_("Sign up"), "sign_up.html", _sign_up),
    PreviewedPage("code", N_("Code"), "code.html", _code),
    PreviewedPage("consent", N_("Consent"), "consent.html", _consent, is_signed_in=True),
)


def previewed_page(key: str | None) -> PreviewedPage:
    """Returns the page with this key, else the sign-in page."""
    return next((page for page in PAGES if page.key == key), PAGES[0])


def _example_user() -> SignedInUser:
    session = Session(
        id=DASHBOARD,
        user_id=DASHBOARD,
        email=EXAMPLE_EMAIL,
        name="Mira Lindqvist",
        auth_time=EXAMPLE_TIME,
        created_at=EXAMPLE_TIME,
        expires_at=EXAMPLE_TIME,
    )
    return SignedInUser(session, ANONYMOUS, b"")


async def show_preview(visit: Visit, previewed: Tenant) -> GatewayResponse:
    """Returns the page that `page` names as it will be. `scheme` forces the light or the dark one."""
    if "oauth" in previewed.settings.auth_methods:
        providers = await visit.call(ListPublicProviders())
        visit.request.state.providers = tuple(providers.idps)
    code = first_of(visit.fields.get("ui_locales"), previewed.settings.default_locale)
    chosen = previewed_page(visit.fields.get("page"))
    page = BrandPreview(
        visit.gateway,
        visit.request,
        _example_user() if chosen.is_signed_in else None,
        language(code or OFFERED[0]),
        scheme="dark" if visit.fields.get("scheme") == "dark" else "light",
        previewed=previewed,
    )
    return page.show(chosen.template, **chosen.variables(page))
