"""The OAuth clients of an application, and new ones by kind."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from common.contracts.clients import ClientExists, CreateClient, ListClients, NewClient
from common.ids import new_id
from common.message_ids import N_
from common.problems import Forbidden, NotFound, Problem
from gateway.dashboard.api_call import curl
from gateway.dashboard.client_fields import lines
from gateway.dashboard.client_kinds import KINDS, ClientKind, kind_of
from gateway.dashboard.light_replies import ListedClients
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import errors_of
from gateway.routing import RouteSet

HERE: Final = f"{APPLICATIONS}/{{slug}}/clients"
PAGE_SIZE: Final = 50
NOTICES: Final = {
    "deleted": N_("The client is deleted. Its secrets and tokens no longer work."),
    "exists": N_("This client was already created, and there is no second one."),
}


SOURCES: Final[dict[str, str]] = {
    "": N_("All"),
    "developer": N_("Yours"),
    "registered": N_("Registered themselves"),
    "document": N_("Known by a document"),
}
"""Where clients come from, as the filter of the list names it."""


async def show(visit: Visit) -> GatewayResponse:
    """GET …/clients: the oldest first, of all sources or of one."""
    cursor, source = visit.fields.text_or_none("cursor"), visit.fields.text("source")
    if source not in SOURCES:
        raise NotFound
    wanted = ListClients.model_validate(
        {"limit": PAGE_SIZE, "cursor": cursor, "source": source or None}
    )
    listed = await visit.read(wanted, ListedClients)
    here = f"{visit.home}/clients"
    return visit.show(
        "clients.html",
        part="clients_list.html",
        clients=listed.clients,
        kinds=KINDS,
        sources=[(at(here, source=name or None), label, name) for name, label in SOURCES.items()],
        source=source,
        source_names=SOURCES,
        more=at(here, source=source or None, cursor=listed.next) if listed.next else None,
        writes=visit.may("clients:write"),
        done=NOTICES.get(visit.fields.text("done")),
        address=at(here, source=source or None),
        api=curl(visit.managed.tenant, "GET", "/clients"),
    )


async def ask(visit: Visit) -> GatewayResponse:
    """GET …/clients/new"""
    if not visit.may("clients:write"):
        raise Forbidden
    return _ask(visit)


def _ask(visit: Visit, errors: dict[str, str] | None = None) -> GatewayResponse:
    kind = kind_of(visit.fields.get("kind"))
    uris = lines(visit.fields.get("redirect_uris"))
    body = {"name": "Shop", "type": kind.type}
    if kind.example:
        body["redirect_uris"] = [kind.example]  # type: ignore[assignment]
    return visit.show(
        "client_new.html",
        errors=errors,
        values={"name": visit.fields.text("name"), "redirect_uris": "\n".join(uris)},
        id=visit.fields.text_or_none("id") or new_id(),
        kinds=KINDS,
        kind=kind,
        address=at(f"{visit.home}/clients/new", kind=kind.type),
        api=curl(visit.managed.tenant, "POST", "/clients", body),
    )


async def create(visit: Visit) -> GatewayResponse:
    """POST …/clients/new: shows the secret of a client that has one. Sent again, the form creates no
    second client."""
    if not visit.may("clients:write"):
        raise Forbidden
    page = visit.open()
    try:
        new = await visit.call(_new_client(visit, kind_of(visit.fields.get("kind"))))
    except ClientExists:
        return redirect(at(f"{visit.home}/clients", done="exists"))
    except (Problem, ValidationError) as error:
        return _ask(visit, errors_of(page.language, error))
    if new.client_secret is None:
        return redirect(at(f"{visit.home}/clients/{new.client_id}", done="created"))
    return _show_once(visit, new)


def _new_client(visit: Visit, kind: ClientKind) -> CreateClient:
    """Returns the request. The service fills in what follows from the kind. The pages of a single-page
    application may call the token endpoint from their origins."""
    fields: dict[str, Any] = {"name": visit.fields.text("name"), "type": kind.type}
    if kind.uri_hint:
        uris = fields["redirect_uris"] = lines(visit.fields.get("redirect_uris"))
        if kind.type == "spa":
            fields["allowed_origins"] = _origins(uris)
    return CreateClient(id=visit.fields.text_or_none("id"), **fields)


def _origins(uris: list[str]) -> list[str]:
    """Returns the origins of those URIs that have one. The service says what is wrong with the others."""
    origins: dict[str, None] = {}
    for uri in uris:
        try:
            parts = urlsplit(uri)
        except ValueError:
            continue
        if parts.scheme in ("https", "http") and parts.netloc:
            origins[f"{parts.scheme}://{parts.netloc.lower()}"] = None
    return list(origins)


def _show_once(visit: Visit, new: NewClient) -> GatewayResponse:
    """Shows the secret. The address of the page in another language is that of the client."""
    return visit.show(
        "client_secret.html",
        client=new,
        secret=new.client_secret,
        ends=None,
        address=f"{visit.home}/clients/{new.client_id}",
    )


routes = RouteSet(
    (
        dashboard_page(HERE, show),
        dashboard_page(f"{HERE}/new", ask),
        dashboard_form(f"{HERE}/new", create),
    )
)
