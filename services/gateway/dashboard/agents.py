"""Agents: the way clients of the Model Context Protocol connect, and the documents by which they are known."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from pydantic import ValidationError

from common.contracts.app_settings import AppSettings
from common.contracts.client_documents import (
    ClientDocumentNotFound,
    DeleteClientDocument,
    ListClientDocuments,
    PinClientDocument,
)
from common.contracts.resources import ListResources, Resource
from common.contracts.settings_change import GetSettings
from common.message_ids import N_
from common.problems import Forbidden, Problem
from gateway.dashboard.agent_settings import CLIENTS, EXAMPLE
from gateway.dashboard.api_call import curl
from gateway.dashboard.json_texts import read_object
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import errors_of
from gateway.routing import RouteSet

PATH: Final = f"{APPLICATIONS}/{{slug}}/agents"
NOTICES: Final = {
    "pinned": N_("The copy is stored. It is used from now on."),
    "forgotten": N_("The document is forgotten. It is fetched when somebody needs it."),
}


async def show(visit: Visit) -> GatewayResponse:
    """GET …/agents"""
    return await _show(visit)


async def _show(visit: Visit, errors: dict[str, str] | None = None) -> GatewayResponse:
    listed, resources, settings = await asyncio.gather(
        visit.call(ListClientDocuments()), visit.call(ListResources()), _settings(visit)
    )
    servers = [each for each in resources.resources if each.identifier.startswith("https://")]
    server = _chosen(servers, visit.fields.text("server"))
    return visit.show(
        "agents.html",
        errors=errors,
        values={name: visit.fields.text(name) for name in ("client_id", "document")},
        documents=listed.documents,
        servers=servers,
        server=server,
        clients=[(each, each.text(server)) for each in CLIENTS],
        mode=settings.client_id_documents if settings else None,
        registers=settings is not None and settings.client_registration != "off",
        hosts=settings.client_id_document_hosts if settings else [],
        writes=visit.may("clients:write"),
        deletes=visit.may("clients:delete"),
        done=NOTICES.get(visit.fields.text("done")),
        address=at(f"{visit.home}/agents", server=server),
        api=curl(visit.managed.tenant, "GET", "/client-documents"),
    )


async def _settings(visit: Visit) -> AppSettings | None:
    return await visit.call(GetSettings()) if visit.may("settings:read") else None


def _chosen(servers: list[Resource], identifier: str) -> str:
    identifiers = [each.identifier for each in servers]
    return identifier if identifier in identifiers else next(iter(identifiers), EXAMPLE)


async def pin(visit: Visit) -> GatewayResponse:
    """POST …/agents: stores a copy of a document."""
    if not visit.may("clients:write"):
        raise Forbidden
    page = visit.open()
    try:
        document = read_object(page.language, visit.fields.text("document"))
    except ValueError as error:
        return await _show(visit, {"document": str(error)})
    try:
        client_id = visit.fields.text("client_id")
        await visit.call(PinClientDocument(client_id=client_id, document=document))
    except (Problem, ValidationError) as problem:
        return await _show(visit, errors_of(page.language, problem))
    return redirect(at(f"{visit.home}/agents", done="pinned"))


async def forget(visit: Visit) -> GatewayResponse:
    """POST …/agents/forget: forgets a document. Sent twice, the form does so once."""
    if not visit.may("clients:delete"):
        raise Forbidden
    with suppress(ClientDocumentNotFound):
        await visit.call(DeleteClientDocument(client_id=visit.fields.text("client_id")))
    return redirect(at(f"{visit.home}/agents", done="forgotten"))


routes = RouteSet(
    (
        dashboard_page(PATH, show),
        dashboard_form(PATH, pin),
        dashboard_form(f"{PATH}/forget", forget, page_path=PATH),
    )
)
