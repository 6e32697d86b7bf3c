"""The audit log: a list with filters, and a page for each event."""

from __future__ import annotations

from typing import Final

import orjson

from common.contracts.audit_log import AuditRecord, GetAuditRecord
from common.message_ids import N_
from gateway.dashboard import event_changes
from gateway.dashboard.api_call import curl, curl_in_dashboard
from gateway.dashboard.audit_filters import NAMES, read_filters
from gateway.dashboard.event_lines import BY_OPERATORS, GROUPS, line_of
from gateway.dashboard.event_subject import subject_of
from gateway.dashboard.page_routes import dashboard_page
from gateway.dashboard.platform_pages import platform_page
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.routing import RouteSet

PATH: Final = f"{APPLICATIONS}/{{slug}}/audit"
PAGE_SIZE: Final = 50
ACTORS: Final = {
    "user": N_("A user"),
    "developer": N_("A developer of your team"),
    "secret_key": N_("A secret key"),
    "client": N_("An OAuth client"),
    "system": N_("Aero2"),
    "anonymous": N_("A visitor"),
}
"""Kinds of callers, in words."""
OPERATOR: Final = N_("An operator of the platform")


async def show(visit: Visit) -> GatewayResponse:
    """GET …/audit: the events that match the filters of the address, the newest first. Those of the
    platform are the events of the Dashboard itself."""
    given_names = [name for name in (*NAMES, "cursor") if name in visit.fields]
    cursor = visit.fields.text_or_none("cursor")
    here = f"{visit.home}/audit"
    if any(not visit.fields.text(name) for name in given_names):  # a form with empty fields
        return redirect(at(here, **{name: visit.fields.text(name) for name in given_names}))
    filters = await read_filters(visit)
    events, more = [], None
    if not filters.errors:
        page = await visit.call(filters.call(PAGE_SIZE, cursor))
        events, more = page.audit_logs, page.next
    parameters = filters.api_parameters()
    translate = visit.open().translate
    api = "/api" if visit.of_platform else f"/api{visit.home.removeprefix('/dashboard')}"
    return visit.show(
        "audit.html",
        200,
        part="audit_list.html",
        errors={name: translate(sentence) for name, sentence in filters.errors.items()},
        values=filters.values,
        filters=filters,
        events=events,
        line_of=line_of,
        subject_of=subject_of,
        groups=GROUPS,
        zone=str(visit.zone),
        chips={name: at(here, **filters.without(name)) for name in filters.values},
        more=at(here, **filters.values, cursor=more) if more else None,
        first_page=cursor is None,
        live=cursor is None and not filters.values,
        export=at(f"{api}/audit/export", **parameters),
        api=_curl(visit, at("/audit", **parameters)),
    )


async def show_event(visit: Visit) -> GatewayResponse:
    """GET …/audit/{id}: one event, what changed, and who did it."""
    event = await visit.call(GetAuditRecord(id=visit.parameters["id"]))
    return visit.show(
        "audit_event.html",
        event=event,
        line=line_of(event.event_type),
        subject=subject_of(event.event_data),
        actor=_actor(event),
        changes=event_changes.changes_of(event.event_data),
        facts=event_changes.facts_of(event.event_data),
        document=_document(event),
        api=_curl(visit, f"/audit/{event.id}"),
    )


def _curl(visit: Visit, path: str) -> str:
    if visit.of_platform:
        return curl_in_dashboard(visit.request.app, "GET", path)
    return curl(visit.managed.tenant, "GET", path)


def _actor(event: AuditRecord) -> str:
    """Returns the kind of the actor, as an id of the catalogue of texts."""
    kind = event.actor_kind or ""
    return OPERATOR if event.event_type in BY_OPERATORS else ACTORS.get(kind, "")


def _document(event: AuditRecord) -> str:
    """Returns the event as the API has it, indented."""
    return orjson.dumps(event.model_dump(mode="json"), option=orjson.OPT_INDENT_2).decode()


routes = RouteSet(
    (
        dashboard_page(PATH, show),
        dashboard_page(f"{PATH}/{{id}}", show_event),
        platform_page("/audit", show),
        platform_page("/audit/{id}", show_event),
    )
)
