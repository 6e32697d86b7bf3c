"""The domains of an application: the DNS records that each needs, and whether they were found."""

from __future__ import annotations

import time
from typing import Any, Final

from pydantic import ValidationError

from common.contracts.domains import (
    AddCustomDomain,
    CustomDomain,
    CustomDomainNotFound,
    CustomDomainTaken,
    ListCustomDomains,
    RemoveCustomDomain,
    SetPrimaryDomain,
    VerifyCustomDomain,
)
from common.message_ids import N_
from common.problems import Forbidden, Problem, RateLimited, Unavailable
from gateway.dashboard import person_limits
from gateway.dashboard.api_call import curl_in_dashboard
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import NO_STORE, GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors, errors_of
from gateway.routing import RouteSet

UNCHANGED: Final = 204
"""The page stays as it is."""
LONGEST_POLL: Final = 3600
"""Seconds for which a page looks the records up by itself."""
DIGITS: Final = 12
"""Of a time in seconds."""
HERE: Final = f"{APPLICATIONS}/{{slug}}/domains"
NOTICES: Final = {
    "added": N_("The domain is added. Set its records, then check them."),
    "removed": N_("The domain is removed. The application no longer answers there."),
    "primary": N_("Links and the issuer now use the domain that you chose."),
    "checked": N_("We looked the records up. You see below what was found."),
}


async def show(visit: Visit) -> GatewayResponse:
    """GET …/domains"""
    return await _list(visit)


async def _list(visit: Visit, errors: Errors | None = None) -> GatewayResponse:
    domains = (await visit.call(ListCustomDomains())).domains
    notice = NOTICES.get(visit.fields.text("done")) if errors is None else None
    return visit.show(
        "domains.html",
        errors=errors,
        values={"domain": visit.fields.text("domain")},
        domains=domains,
        own_host=visit.managed.tenant.slug,
        polled_from=int(time.time()),
        seen=seen,
        has_primary=any(domain.primary for domain in domains),
        notice=notice,
        writes=visit.may("domains:write"),
        address=f"{visit.home}/domains",
        api=_api(visit, "POST", "", {"domain": "login.example.com"}),
    )


async def add(visit: Visit) -> GatewayResponse:
    """POST …/domains"""
    _check_may_write(visit)
    page = visit.open()
    try:
        await visit.call(AddCustomDomain(domain=visit.fields.text("domain")))
    except (Problem, ValidationError) as error:
        return await _list(visit, errors_of(page.language, error))
    return _back(visit, "added")


def _check_may_write(visit: Visit) -> None:
    if not visit.may("domains:write"):
        raise Forbidden


def _back(visit: Visit, done: str) -> GatewayResponse:
    return redirect(at(f"{visit.home}/domains", done=done))


async def check(visit: Visit) -> GatewayResponse:
    """POST …/domains/{id}/check: looks the records up now. htmx gets the one domain."""
    _check_may_write(visit)
    page = visit.open()
    try:
        domain = await visit.call(VerifyCustomDomain(id=visit.parameters["id"]))
    except CustomDomainNotFound:
        raise
    except Problem as error:
        return await _list(visit, errors_of(page.language, error))
    if visit.partial:
        return visit.show(
            "domain_card.html", domain=domain, writes=True, polled_from=int(time.time()), seen=seen
        )
    return _back(visit, "checked")


async def poll(visit: Visit) -> GatewayResponse:
    """POST …/domains/{id}/poll: the page looks the records up by itself while it is visible. Only what has
    changed is shown: everything else would be read aloud again and again."""
    _check_may_write(visit)
    try:
        person_limits.count(visit, person_limits.DOMAIN_CHECKS)
        domain = await visit.call(VerifyCustomDomain(id=visit.parameters["id"]))
    except (RateLimited, Unavailable, CustomDomainTaken):
        return GatewayResponse(UNCHANGED, b"", [NO_STORE])
    polled_from, is_over = _polled_from(visit)
    if not is_over and visit.fields.get("seen") == seen(domain):
        return GatewayResponse(UNCHANGED, b"", [NO_STORE])
    since = None if is_over else polled_from
    return visit.show("domain_card.html", domain=domain, writes=True, polled_from=since, seen=seen)


def _polled_from(visit: Visit) -> tuple[int, bool]:
    """Returns when the page began to look, in epoch seconds, and whether that is too long ago."""
    now, text = int(time.time()), visit.fields.text("since")
    since = min(int(text), now) if text.isdecimal() and len(text) <= DIGITS else 0
    return since, now - since > LONGEST_POLL


def seen(domain: CustomDomain) -> str:
    """Returns what the page shows of a domain, in short."""
    records = "".join("1" if record.ok else "0" for record in domain.records)
    return (
        f"{records} {domain.verified} {domain.certificate_status} {domain.checked_at is not None}"
    )


async def ask_removal(visit: Visit) -> GatewayResponse:
    """GET …/domains/{id}/remove"""
    return await _confirm(visit, "domain_remove.html")


async def ask_primary(visit: Visit) -> GatewayResponse:
    """GET …/domains/{id}/primary"""
    return await _confirm(visit, "domain_primary.html")


async def _confirm(visit: Visit, template: str, errors: Errors | None = None) -> GatewayResponse:
    _check_may_write(visit)
    return visit.show(template, errors=errors, domain=await _domain(visit))


async def _domain(visit: Visit) -> CustomDomain:
    """Returns the domain of the path. Raises CustomDomainNotFound."""
    for domain in (await visit.call(ListCustomDomains())).domains:
        if domain.id == visit.parameters["id"]:
            return domain
    raise CustomDomainNotFound


async def remove(visit: Visit) -> GatewayResponse:
    """POST …/domains/{id}/remove"""
    call = RemoveCustomDomain(id=visit.parameters["id"])
    return await _act(visit, call, "removed", "domain_remove.html")


async def make_primary(visit: Visit) -> GatewayResponse:
    """POST …/domains/{id}/primary"""
    call = SetPrimaryDomain(id=visit.parameters["id"])
    return await _act(visit, call, "primary", "domain_primary.html")


async def make_own_host_primary(visit: Visit) -> GatewayResponse:
    """POST …/domains/own-host"""
    _check_may_write(visit)
    await visit.call(SetPrimaryDomain(id=None))
    return _back(visit, "primary")


async def _act(visit: Visit, call: Any, done: str, template: str) -> GatewayResponse:
    _check_may_write(visit)
    page = visit.open()
    try:
        await visit.call(call)
    except CustomDomainNotFound:
        raise
    except Problem as error:
        return await _confirm(visit, template, errors_of(page.language, error))
    return _back(visit, done)


def _api(visit: Visit, method: str, path: str, body: dict[str, str] | None = None) -> str:
    base = f"/applications/{visit.managed.tenant.slug}/domains"
    return curl_in_dashboard(visit.request.app, method, base + path, body)


routes = RouteSet(
    (
        dashboard_page(HERE, show),
        dashboard_form(HERE, add),
        dashboard_form(f"{HERE}/own-host", make_own_host_primary, page_path=HERE),
        dashboard_form(f"{HERE}/{{id}}/check", check, page_path=HERE),
        dashboard_form(f"{HERE}/{{id}}/poll", poll, page_path=HERE, is_use=False),
        dashboard_page(f"{HERE}/{{id}}/remove", ask_removal),
        dashboard_form(f"{HERE}/{{id}}/remove", remove),
        dashboard_page(f"{HERE}/{{id}}/primary", ask_primary),
        dashboard_form(f"{HERE}/{{id}}/primary", make_primary),
    )
)
