"""Batches of users: the progress of an import or another act on many users, and its results."""

from __future__ import annotations

import asyncio
from typing import Final

from common.contracts.user_batches import (
    BatchResults,
    CancelUserBatch,
    GetUserBatch,
    ListUserBatches,
    ListUserBatchResults,
    UserBatch,
)
from common.message_ids import N_
from common.problems import Forbidden
from gateway.dashboard.api_call import curl
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.users import USERS
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.routing import RouteSet

PATH: Final = f"{USERS}/batches"
BATCH: Final = f"{PATH}/{{batch_id}}"
STATE: Final = f"{BATCH}/state"
ACTS: Final = {
    "import": N_("Import users"),
    "disable": N_("Disable users"),
    "enable": N_("Enable users"),
    "end_sessions": N_("End all sessions"),
    "assign_role": N_("Give a role"),
    "delete": N_("Delete users"),
}
STATES: Final = {
    "open": N_("Waiting for rows"),
    "running": N_("Running"),
    "done": N_("Done"),
    "cancelled": N_("Cancelled"),
    "stopped": N_("Stopped"),
}
REASONS: Final = {
    "exists": N_("Exists already"),
    "invalid": N_("Not valid"),
    "refused": N_("Refused"),
    "missing": N_("No such user"),
}
ACTIVE: Final = ("open", "running")
SHOWN: Final = 100
"""Failed rows that the page shows."""


async def list_batches(visit: Visit) -> list[UserBatch]:
    """Returns the newest batches."""
    return (await visit.call(ListUserBatches())).batches


async def show(visit: Visit) -> GatewayResponse:
    """GET …/users/batches/{batch_id}"""
    return await _show(visit, "user_batch.html")


async def show_state(visit: Visit) -> GatewayResponse:
    """GET …/users/batches/{batch_id}/state: the progress alone, for the page that is open. It asks while
    the batch runs."""
    if not visit.partial:
        return redirect(f"{visit.home}/users/batches/{visit.parameters['batch_id']}")
    return await _show(visit, "user_batch_state.html")


async def _show(visit: Visit, template: str) -> GatewayResponse:
    batch_id = visit.parameters["batch_id"]
    failures = ListUserBatchResults(batch_id=batch_id, failed=True)
    batch, failed = await asyncio.gather(
        visit.call(GetUserBatch(batch_id=batch_id)), visit.call(failures)
    )
    return _rendered(visit, template, batch, failed)


def _rendered(
    visit: Visit, template: str, batch: UserBatch, failed: BatchResults
) -> GatewayResponse:
    path = f"{visit.home}/users/batches/{batch.id}"
    api = f"/api{visit.home.removeprefix('/dashboard')}/user-batches/{batch.id}"
    return visit.show(
        template,
        batch=batch,
        path=path,
        act=ACTS[batch.act],
        state=STATES[batch.state],
        active=batch.state in ACTIVE,
        percent=100 * batch.done // batch.total if batch.total else 0,
        failures=failed.results[:SHOWN],
        reasons=REASONS,
        file=f"{api}/failed",
        api=curl(visit.managed.tenant, "GET", f"/user-batches/{batch.id}"),
    )


async def show_list(visit: Visit) -> GatewayResponse:
    """GET …/users/batches: the newest"""
    return visit.show(
        "user_batches.html",
        batches=await list_batches(visit),
        acts=ACTS,
        states=STATES,
        api=curl(visit.managed.tenant, "GET", "/user-batches"),
    )


async def cancel(visit: Visit) -> GatewayResponse:
    """POST …/users/batches/{batch_id}/cancel"""
    call = CancelUserBatch(batch_id=visit.parameters["batch_id"])
    if not visit.may("users:write"):
        raise Forbidden
    await visit.call(call)
    return redirect(f"{visit.home}/users/batches/{call.batch_id}")


routes = RouteSet(
    (
        dashboard_page(PATH, show_list),
        dashboard_page(BATCH, show),
        dashboard_page(STATE, show_state, is_use=False),
        dashboard_form(f"{BATCH}/cancel", cancel, page_path=BATCH),
    )
)
