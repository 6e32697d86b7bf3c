"""The consent page (OpenID Connect Core section 3.1.2.4)."""

from __future__ import annotations

from urllib.parse import urlsplit

from common.contracts.authorization import Authorization
from gateway.http.response import GatewayResponse
from gateway.pages import client_names
from gateway.pages.branding import origin_of
from gateway.pages.fields import at
from gateway.pages.render import PageView
from gateway.pages.requested_access import requested_access


def show(page: PageView, authorization: Authorization) -> GatewayResponse:
    """Shows what the client wants, and asks the user."""
    claimed_name, client_uri = authorization.claimed_name, authorization.client_uri
    site = urlsplit(client_uri).netloc if client_uri else None
    return page.show(
        "consent.html",
        carried={"request": authorization.request},
        client=authorization.client_name or authorization.client_id,
        asks=requested_access(page, authorization),
        claimed_name=claimed_name,
        on_device=bool(claimed_name) and client_names.is_on_device(authorization.client_name),
        back_to_device=bool(claimed_name) and client_names.is_on_device(authorization.redirects_to),
        site=authorization.redirects_to if claimed_name else site,
        policy_uri=_web(authorization.policy_uri),
        tos_uri=_web(authorization.tos_uri),
        switch=at("/accounts", request=authorization.request),
    )


def _web(url: str | None) -> str | None:
    return url if url and origin_of(url) else None
