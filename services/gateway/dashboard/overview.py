"""The overview of an application: where it answers, what happened today, and its latest events, live."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

from common.contracts.audit_log import AuditRecord, CountAudit, EventCounts, ListAudit
from common.message_ids import N_
from gateway.dashboard.api_call import curl
from gateway.dashboard.event_lines import line_of, subject_of
from gateway.dashboard.page_routes import dashboard_page
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse
from gateway.routing import RouteSet

LATEST: Final = 8
"""Events."""
PERIOD: Final = timedelta(days=1)
FIGURES: Final = (
    (N_("Sign-ins"), ("login",)),
    (N_("New users"), ("user_created",)),
    (N_("Failed sign-ins"), ("login_failed", "idp_sign_in_failed", "passkey_refused")),
    (N_("Locked addresses"), ("sign_in_locked",)),
)
"""The figures of the page, each with the types of events that it counts."""


async def show(visit: Visit) -> GatewayResponse:
    """GET /dashboard/applications/{slug}"""
    events: list[AuditRecord] = []
    counts = EventCounts(event_types=[])
    if visit.may("audit:read"):
        page, counts = await asyncio.gather(
            visit.call(ListAudit(limit=LATEST)),
            visit.call(CountAudit(start_date=datetime.now(UTC) - PERIOD)),
        )
        events = page.audit_logs
    translate = visit.open().translate
    api = curl(visit.managed.tenant, "GET", "/audit?limit=8") if visit.may("audit:read") else None
    return visit.show(
        "overview.html",
        events=events,
        figures=[(translate(label), value) for label, value in _figures(counts)],
        line_of=line_of,
        subject_of=subject_of,
        api=api,
    )


def _figures(counts: EventCounts) -> list[tuple[str, int]]:
    by_type = {each.event_type: each.count for each in counts.event_types}
    return [(label, sum(by_type.get(name, 0) for name in names)) for label, names in FIGURES]


routes = RouteSet((dashboard_page(f"{APPLICATIONS}/{{slug}}", show),))
