"""Pages: a template, in the visitor's language, in the application's colours, under a strict
Content-Security-Policy that allows no inline script or style."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, RedirectResponse, Response

from common.contracts.oauth_errors import OAuthError
from common.contracts.tenants import Branding, Tenant
from gateway.http import csrf
from gateway.http.request import GatewayRequest, set_cookie
from gateway.pages import app_icon, assets, challenge
from gateway.pages.fields import Fields, local, query
from gateway.pages.languages import OFFERED, Language, first_of, language
from gateway.state import Signed

TEMPLATES: Final = Path(__file__).parent.parent / "templates"
WEB: Final = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?", re.IGNORECASE)
CODE: Final = re.compile(r"`([^`]+)`")
BOLD: Final = re.compile(r"\*\*([^*]+)\*\*")
LANGUAGE_COOKIE: Final = "aero2_locale"
LONGEST_TEXT: Final = 300
"""Characters of a text that an application wrote."""


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        auto_reload=False,
    )
    made.filters["code"] = _with_code
    made.filters["isolate"] = _isolate
    made.filters["bold"] = lambda text: Markup("<strong><bdi>%s</bdi></strong>") % text
    return made


@pass_context
def _isolate(context: Context, name: str) -> object:
    """The name for a sentence of this page."""
    return context["language"].isolate(name)


def _with_code(text: str) -> Markup:
    """The text with what stands between backticks as code, and between double asterisks as bold."""
    escaped = CODE.sub(r"<code>\1</code>", str(escape(text)))
    return Markup(BOLD.sub(r"<strong>\1</strong>", escaped))  # noqa: S704


@dataclass
class Page:
    """What templates know of this visit."""

    visit: GatewayRequest
    signed: Signed | None
    language: Language
    away: bool = True
    """Whether a form of this page may end at another site. Browsers hold the redirects after a form
    against the policy's `form-action`, too, and signing in leads on to any client: what decides is
    known only once the form is sent. The pages of the account lead nowhere else."""
    address: str | None = None
    """Where a GET shows this page again; None where only a form leads to it."""

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
    ) -> Response:
        """`errors` are sentences by field, "" is for what belongs to none; `values` fill the
        fields again, passwords never. Without a `status` it is 200, or what the errors say.
        `address` is where a GET shows this page again with all that it carries; the answer to a
        GET knows it by itself."""
        self.address = address or _address(self.visit)
        words = self.language.words
        text = (
            environment()
            .get_template(template)
            .render(
                page=self,
                app=self.app,
                branding=self.branding,
                signed=self.signed,
                language=self.language,
                languages=[language(code) for code in OFFERED],
                errors=dict(errors or {}),
                values=dict(values or {}),
                frames=frames or [],
                protection=challenge.asked(self.visit),
                csrf_field=self.csrf_field,
                asset=assets.address,
                brand=assets.brand_address(self.branding.primary_color),
                icon=app_icon.address(self.branding.primary_color, self.app.name),
                gettext=lambda text, **values: _filled(words.gettext(text), values),
                ngettext=words.ngettext,
                _=self.say,
                now=datetime.now(UTC),
                **more,
            )
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
        return HTMLResponse(text, status, headers=headers)

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
    ) -> Response:
        """The last page of a way: what has happened, and where one may go on. `onward` is where
        the browser goes by itself once the `frames` are loaded."""
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
        return self.visit.app

    @property
    def say(self) -> Any:
        return self.language.say

    @cached_property
    def branding(self) -> Branding:
        return harmless(self.app.branding)

    def own_text(self, name: str, otherwise: str = "") -> str:
        """The application's own text in the language of the page, else `otherwise`. It is plain:
        templates escape it. Bounded again: what is stored may be older than the bound."""
        by_language = self.app.settings.page_texts.items()
        texts = next((texts for code, texts in by_language if code == self.language.code), None)
        own = getattr(texts, name, None)
        return own[:LONGEST_TEXT] if own else otherwise

    def csrf_field(self) -> Markup:
        token = escape(csrf.form_token(self.visit, self.signed))
        return Markup('<input type="hidden" name="csrf" value="%s">') % token

    def may_show(self, picture: str) -> bool:
        """Only the picture of whoever is signed in: the policy names its origin."""
        return picture in self._pictures

    @property
    def _pictures(self) -> list[str]:
        own = self.signed.session.picture if self.signed else None
        urls = (self.branding.logo_url, self.branding.favicon_url, own)
        return [url for url in urls if url and origin_of(url)]

    def allows(self, script: str) -> bool:
        """Whether the policy lets this script of another origin run."""
        return origin_of(script) is not None

    def in_language(self, other: Language) -> str:
        """This page in another language; needs an `address`."""
        path, _, asked = (self.address or "/").partition("?")
        kept = [pair for pair in parse_qsl(asked) if pair[0] != "ui_locales"]
        return f"{path}?{urlencode([*kept, ('ui_locales', other.code)])}"

    def policy(self, frames: list[str]) -> str:
        """Our own files, and pictures and frames from where they are known to be."""
        pictures = sorted({origin_of(url) or "" for url in self._pictures})
        captcha = challenge.asked(self.visit).captcha_script_url or ""
        scripts = [origin] if (origin := origin_of(captcha)) else []
        framed = sorted({*scripts, *(origin_of(url) or "" for url in frames)})
        parts = [
            "default-src 'none'",
            " ".join(["script-src 'self'", *scripts]),
            "style-src 'self'",
            " ".join(["img-src 'self'", *pictures]),
            "connect-src 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ]
        if framed:
            parts.append(" ".join(["frame-src", *framed]))
        if not self.away:
            parts.append("form-action 'self'")
        return "; ".join(parts)


def open_page(
    visit: GatewayRequest,
    signed: Signed | None = None,
    *,
    away: bool = True,
    ui_locales: str | None = None,
) -> Page:
    """The page of this visit, in the language that was asked for, chosen before, set by the user,
    wanted by the browser, or the application's, in this order."""
    asked = first_of(ui_locales or _readable(visit).get("ui_locales"))
    if asked is not None and asked != visit.cookies.get(LANGUAGE_COOKIE):
        secure = visit.gateway.settings.secure
        visit.cookies_out.append(set_cookie(LANGUAGE_COOKIE, asked, secure=secure, max_age=None))
    chosen = asked or first_of(
        visit.cookies.get(LANGUAGE_COOKIE),
        signed.session.locale if signed else None,
        visit.header(b"accept-language"),
        visit.app.settings.default_locale if visit.tenant else None,
    )
    return Page(visit, signed, language(chosen or OFFERED[0]), away)


def _address(visit: GatewayRequest) -> str | None:
    """Where this visit's GET stands, as the browser wrote it: decoded, the path of another host
    could look like one of ours. A path that is none of ours becomes the first page."""
    if visit.method not in ("GET", "HEAD"):
        return None
    raw = visit.scope.get("raw_path") or quote(visit.path).encode()
    path = local(raw.decode("latin-1").partition("?")[0], "/")
    asked = visit.scope["query_string"].decode("latin-1")
    return f"{path}?{asked}" if asked else path


def _readable(visit: GatewayRequest) -> Fields:
    """The address's parameters; none where they cannot be read, for the page that says so is made
    here as well."""
    try:
        return query(visit)
    except OAuthError:
        return Fields()


def go(location: str) -> Response:
    """303, so that a POST is never repeated elsewhere (RFC 9700 section 4.12)."""
    return RedirectResponse(location, 303, headers={"cache-control": "no-store"})


def _filled(text: str, values: dict[str, object]) -> str:
    return text % values if values else text


def origin_of(url: str) -> str | None:
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    return origin if WEB.fullmatch(origin) else None


def harmless(branding: Branding) -> Branding:
    """Without addresses that are no web addresses: what an application's developer typed ends up
    in `href` and `src`, where `javascript:` would be a program."""
    links = ("logo_url", "favicon_url", "homepage_url", "privacy_policy_url", "terms_url")
    bad = {
        name: None
        for name in links
        if (url := getattr(branding, name)) is not None and origin_of(url) is None
    }
    return branding.model_copy(update=bad) if bad else branding
