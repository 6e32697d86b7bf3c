"""Getting started: the keys of a new application, code for it, and the steps to its first users."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, Final, TypeVar

from common.contracts.api_keys import NewApiKey
from common.contracts.audit_log import AuditRecord, ListAudit
from common.contracts.clients import (
    ClientExists,
    CreateClient,
    ListClients,
    NewClient,
)
from common.ids import new_id
from common.problems import Forbidden, NotFound, Problem
from gateway.dashboard.event_lines import line_of
from gateway.dashboard.event_subject import subject_of
from gateway.dashboard.light_replies import ListedClient, ListedClients
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.snippets import SNIPPETS, Snippet, snippet_of
from gateway.dashboard.start_steps import read_facts, steps_of
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.routing import RouteSet

T = TypeVar("T")
PATH: Final = f"{APPLICATIONS}/{{slug}}/start"
LATEST: Final = 5
"""Events."""
MOST_CLIENTS: Final = 100
"""Clients among which those of the snippets are looked for."""


async def show(visit: Visit) -> GatewayResponse:
    """GET /dashboard/applications/{slug}/start"""
    return await show_start(visit)


async def show_start(
    visit: Visit,
    *,
    keys: Sequence[NewApiKey] = (),
    snippet: Snippet | None = None,
    new_client: NewClient | None = None,
) -> GatewayResponse:
    """Shows the page. `keys` are those of an application that was just created, and `new_client` is that
    of a snippet: this is the only time that their secrets are shown."""
    if visit.partial:
        return visit.show("start_steps.html", steps=steps_of(await read_facts(visit)))
    has_secrets = bool(keys) or new_client is not None
    facts, clients, events = await asyncio.gather(
        _read(read_facts(visit), optional=has_secrets),
        _read(_clients(visit), optional=has_secrets),
        _read(_latest(visit), optional=has_secrets),
    )
    if new_client is not None:
        clients = [*clients, ListedClient.model_validate(new_client, from_attributes=True)]
    chosen = snippet or snippet_of(visit.fields.text("code")) or SNIPPETS[0]
    issuer = visit.managed.tenant.origin
    return visit.show(
        "start.html",
        keys=keys,
        address=at(f"{visit.home}/start", code=chosen.key),
        steps=steps_of(facts),
        events=events,
        line_of=line_of,
        subject_of=subject_of,
        chosen=chosen.key,
        snippets=[_shown(each, issuer, clients) for each in SNIPPETS],
        new_client=new_client,
        creates=visit.may("clients:write"),
    )


async def _read(items: Awaitable[list[T]], *, optional: bool) -> list[T]:
    """Returns the items. If they are optional and a service does not answer, there are none: a page with
    a secret comes once, so nothing beside the secret may keep it away."""
    try:
        return await items
    except Problem:
        if not optional:
            raise
        return []


def _shown(snippet: Snippet, issuer: str, clients: list[ListedClient]) -> dict[str, Any]:
    client = snippet.client_among(clients)
    client_id = client.client_id if client else None
    return {
        "key": snippet.key,
        "title": snippet.title,
        "text": snippet.text(issuer, client_id),
        "id": new_id(),
        "needs_client": snippet.client_type is not None and client is None,
        "origin": snippet.origin,
    }


async def create_client(visit: Visit) -> GatewayResponse:
    """POST …/start/client: creates the client of a snippet, once. Its secret is in the answer."""
    snippet = snippet_of(visit.fields.text("snippet"))
    call = snippet.client() if snippet else None
    if snippet is None or call is None:
        raise NotFound
    if not visit.may("clients:write"):
        raise Forbidden
    there = at(f"{visit.home}/start", code=snippet.key)
    if snippet.client_among(await _clients(visit)):
        return redirect(there)
    fields = call.model_dump(exclude_unset=True) | {"id": visit.fields.text_or_none("id")}
    try:
        new_client = await visit.call(CreateClient.model_validate(fields))
    except ClientExists:
        return redirect(there)
    return await show_start(visit, snippet=snippet, new_client=new_client)


async def _clients(visit: Visit) -> list[ListedClient]:
    if not visit.may("clients:read"):
        return []
    return (await visit.read(ListClients(limit=MOST_CLIENTS), ListedClients)).clients


async def _latest(visit: Visit) -> list[AuditRecord]:
    if not visit.may("audit:read"):
        return []
    return (await visit.call(ListAudit(limit=LATEST))).audit_logs


routes = RouteSet(
    (dashboard_page(PATH, show), dashboard_form(f"{PATH}/client", create_client, page_path=PATH))
)
