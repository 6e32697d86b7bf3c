"""Pages: a template, in the visitor's language, in the application's colours, under a strict
Content-Security-Policy that allows no inline script or style."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

from markupsafe import Markup, escape

from common.contracts.oauth_errors import OAuthError
from common.contracts.tenants import Branding, Tenant
from gateway.http import csrf
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, html_response
from gateway.pages import app_icon, assets, challenge, provider_buttons
from gateway.pages.branding import origin_of, safe_branding
from gateway.pages.fields import Fields, local, read_query
from gateway.pages.languages import OFFERED, Language, first_of, language
from gateway.pages.page_policy import policy_of
from gateway.pages.template_engine import environment
from gateway.pages.viewer_zone import zone_of
from gateway.state import Gateway, SignedInUser

LANGUAGE_COOKIE: Final = "aero2_locale"
MAX_TEXT: Final = 300
"""Characters of a text that an application wrote."""


@dataclass
class PageView:
    """A page, as its template sees it."""

    gateway: Gateway
    request: GatewayRequest
    user: SignedInUser | None
    language: Language
    away: bool = True
    """Whether a form of this page may lead to another site. Browsers apply the policy's `form-action`
    to redirects after a form, too, and signing in may lead to any client. The pages of the account lead
    nowhere else."""
    address: str | None = None
    """The address at which a GET shows this page again; None if only a form leads to it."""
    icons: str = "icons.svg"
    """The file with the icons of this page."""

    def show(
        self,
        template: str,
        status: int | None = None,
        *,
        errors: Mapping[str, str] | None = None,
        values: Mapping[str, str] | None = None,
        frames: list[str] | None = None,
        address: str | None = None,
        **more: Any,
    ) -> GatewayResponse:
        """Renders the page. `errors` are sentences by field; "" is for errors of no field. `values` fill
        the fields again, except passwords. `status` defaults to 200, or to that of the errors.
        `address` is where a GET shows this page again with everything it carries; for a GET it
        defaults to its own address."""
        self.address = address or _address(self.request)
        source = environment(self.language.code).get_template(template)
        text = source.render(
            self._variables(),
            errors=dict(errors or {}),
            values=dict(values or {}),
            frames=frames or [],
            **more,
        )
        headers = {
            "content-security-policy": self.policy(frames or []),
            "content-language": self.language.code,
            "cache-control": "no-store",
        }
        if (retry := getattr(errors, "retry_after", None)) is not None:
            headers["retry-after"] = str(retry)
        if status is None:
            status = getattr(errors, "status", 422) if errors else 200
        return html_response(text, status, headers)

    def _variables(self) -> dict[str, Any]:
        """Returns the variables that every template has."""
        return {
            "page": self,
            "app": self.app,
            "branding": self.branding,
            "signed": self.user,
            "impersonated": self.request.state.impersonated_session,
            "language": self.language,
            "languages": [language(code) for code in OFFERED],
            "protection": challenge.protection_of(self.request),
            "csrf_field": self.csrf_field,
            "provider_buttons": provider_buttons.buttons(self.request),
            "asset": assets.address,
            "icons": assets.address(self.icons),
            "brand": assets.brand_address(self.branding.primary_color),
            "icon": app_icon.address(self.branding.primary_color, self.app.name),
            "_": self.translate,
            "now": self.now,
        }

    def close(
        self,
        heading: str,
        says: str,
        status: int = 200,
        *,
        link: str | None = None,
        button: str = "",
        primary: bool = False,
        onward: str | None = None,
        frames: list[str] | None = None,
        address: str | None = None,
    ) -> GatewayResponse:
        """Renders the last page of a flow: what has happened, and where the user can continue. `onward`
        is where the browser goes by itself after the `frames` are loaded."""
        return self.show(
            "done.html",
            status,
            heading=heading,
            says=says,
            link=link,
            button=button,
            primary=primary,
            onward=onward,
            frames=frames,
            address=address,
        )

    @property
    def app(self) -> Tenant:
        return self.request.app

    @property
    def translate(self) -> Any:
        return self.language.translate

    @cached_property
    def branding(self) -> Branding:
        return safe_branding(self.app.branding)

    @cached_property
    def zone(self) -> tzinfo:
        """The time zone of the times on the page."""
        return zone_of(self.request, self.user.session.zoneinfo if self.user else None)

    @cached_property
    def now(self) -> datetime:
        """The time of the page."""
        return datetime.now(UTC)

    def time(self, when: datetime) -> Markup:
        """Returns when something happened, as HTML: "3 hours ago", with the exact time on hover."""
        exact = escape(self.language.exact(when, self.zone))
        said = escape(self.language.ago(when, self.now))
        return Markup(f'<time datetime="{when.isoformat()}" title="{exact}">{said}</time>')  # noqa: S704

    def own_text(self, name: str, otherwise: str = "") -> str:
        """Returns the application's own text in the language of the page, else `otherwise`. It is plain
        text: templates escape it. It is cut here, too, because a stored text may be older than the limit.
        """
        by_language = self.app.settings.page_texts.items()
        texts = next((texts for code, texts in by_language if code == self.language.code), None)
        own = getattr(texts, name, None)
        return own[:MAX_TEXT] if own else otherwise

    def csrf_field(self) -> Markup:
        """Returns the hidden field of a form. All forms of one page have the same value: it is masked for
        each page, and a list has a form for each row."""
        return self._csrf_field

    @cached_property
    def _csrf_field(self) -> Markup:
        session = self.user.session if self.user else None
        token = escape(csrf.form_token(self.gateway.settings, self.request, session))
        return Markup('<input type="hidden" name="csrf" value="%s">') % token

    def may_show(self, picture: str) -> bool:
        """Returns whether the policy allows this picture: the branding's, or that of the signed-in user."""
        return picture in self.pictures

    @property
    def pictures(self) -> list[str]:
        own = self.user.session.picture if self.user else None
        urls = (self.branding.logo_url, self.branding.favicon_url, own)
        return [url for url in urls if url and origin_of(url)]

    def allows(self, script: str) -> bool:
        """Returns whether the policy allows this script of another origin."""
        return origin_of(script) is not None

    def in_language(self, other: Language) -> str:
        """Returns the address of this page in another language. Needs an `address`."""
        path, _, query = (self.address or "/").partition("?")
        others = [pair for pair in parse_qsl(query) if pair[0] != "ui_locales"]
        return f"{path}?{urlencode([*others, ('ui_locales', other.code)])}"

    def policy(self, frames: list[str]) -> str:
        """Returns the Content-Security-Policy: own files, and the origins of known pictures and frames."""
        captcha = challenge.protection_of(self.request).captcha_script_url
        return policy_of(pictures=self.pictures, captcha=captcha, frames=frames, away=self.away)


def open_page(
    gateway: Gateway,
    request: GatewayRequest,
    user: SignedInUser | None = None,
    *,
    away: bool = True,
    ui_locales: str | None = None,
) -> PageView:
    """Returns the page of this request. Its language is, in this order: the one in the address, the one
    chosen before, the user's, the browser's, or the application's."""
    requested = first_of(ui_locales or _query_or_empty(request).get("ui_locales"))
    if requested is not None and requested != request.cookie(LANGUAGE_COOKIE):
        request.set_cookie(LANGUAGE_COOKIE, requested, None)
    code = requested or first_of(
        request.cookie(LANGUAGE_COOKIE),
        user.session.locale if user else None,
        request.header(b"accept-language"),
        request.app.settings.default_locale if request.tenant else None,
    )
    return PageView(gateway, request, user, language(code or OFFERED[0]), away)


def _address(request: GatewayRequest) -> str | None:
    """Returns the address of a GET as the browser wrote it: a decoded path of another host could look
    like a path of this one. A path of another host becomes `/`."""
    if request.method not in ("GET", "HEAD"):
        return None
    raw = request.raw_path or quote(request.path).encode()
    path = local(raw.decode("latin-1").partition("?")[0], "/")
    query = request.query.decode("latin-1")
    return f"{path}?{query}" if query else path


def _query_or_empty(request: GatewayRequest) -> Fields:
    """Returns the parameters of the address, or none if they cannot be read: the page that says so is
    made here, too."""
    try:
        return read_query(request)
    except OAuthError:
        return Fields()
