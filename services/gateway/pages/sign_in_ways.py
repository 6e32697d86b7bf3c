"""The ways to sign in for which a page asks for an address."""

from __future__ import annotations

from typing import Final

from common.contracts.tenants import Tenant
from gateway.pages.fields import Fields
from gateway.pages.render import PageView

BY_MAIL: Final = {"email_code", "magic_link"}


def way_of(app: Tenant, fields: Fields) -> str | None:
    """Returns how to sign in with an address: the way that the client wants, else the first way of the
    application. None: an address leads to the provider of an organization alone."""
    ways = [way for way in app.settings.auth_methods if way == "password" or way in BY_MAIL]
    wanted = {"password": {"password"}, "mail": BY_MAIL}.get(
        fields.text_or_none("way") or "", set()
    )
    return next((way for way in ways if way in wanted), ways[0] if ways else None)


def by_mail_label(page: PageView) -> str | None:
    """Returns the label of the second button, or None if there is no other way to sign in."""
    methods = page.app.settings.auth_methods
    if "email_code" in methods:
        return str(page.translate("E-mail me a code instead"))
    return str(page.translate("E-mail me a link instead")) if "magic_link" in methods else None
