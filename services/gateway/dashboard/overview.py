"""The overview of an application: where it answers, its usage over time, and its latest events, live."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from common.contracts.audit_log import ListAudit
from common.contracts.usage import CountUsage, UsageCounts
from gateway.dashboard.api_call import curl
from gateway.dashboard.event_lines import line_of
from gateway.dashboard.event_subject import subject_of
from gateway.dashboard.page_routes import dashboard_page
from gateway.dashboard.usage_charts import WINDOWS, usage_charts, window_of
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse
from gateway.routing import RouteSet

LATEST: Final = 8
"""Events."""
PART: Final = "overview_usage.html"


async def show(visit: Visit) -> GatewayResponse:
    """GET /dashboard/applications/{slug}: with `window`, the hours or days of the charts"""
    if not visit.may("audit:read"):
        return visit.show("overview.html", events=[], api=None)
    call = CountUsage(window=window_of(visit.fields.text("window")))
    if visit.partial:
        return visit.show("overview.html", part=PART, **_usage(visit, await visit.call(call)))
    page, usage = await asyncio.gather(visit.call(ListAudit(limit=LATEST)), visit.call(call))
    return visit.show(
        "overview.html",
        events=page.audit_logs,
        line_of=line_of,
        subject_of=subject_of,
        api=curl(visit.managed.tenant, "GET", f"/audit/counts?window={call.window}"),
        **_usage(visit, usage),
    )


def _usage(visit: Visit, usage: UsageCounts) -> dict[str, Any]:
    charts = usage_charts(usage, visit.open().language)
    return {"usage": usage, "charts": charts, "windows": WINDOWS}


routes = RouteSet((dashboard_page(f"{APPLICATIONS}/{{slug}}", show),))
