"""The import of users: a file is uploaded, and becomes a batch."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from pydantic import ValidationError

from common.contracts.user_batches import (
    AddUserImportRows,
    CancelUserBatch,
    StartUserImport,
    UserBatch,
)
from common.problems import Forbidden, Problem
from gateway.dashboard import user_file
from gateway.dashboard.api_call import curl
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.user_batches import list_batches
from gateway.dashboard.user_errors import user_errors
from gateway.dashboard.users import USERS
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import read_file_form
from gateway.pages.form_errors import Errors
from gateway.routing import RouteSet

PATH: Final = f"{USERS}/import"


async def show(visit: Visit) -> GatewayResponse:
    """GET …/users/import"""
    return await _show(visit)


async def _show(
    visit: Visit, errors: Errors | None = None, faults: list[tuple[int, str]] | None = None
) -> GatewayResponse:
    if not visit.may("users:write"):
        raise Forbidden
    example = {"users": [{"email": "ada@example.com", "email_verified": True, "name": "Ada"}]}
    return visit.show(
        "user_import.html",
        batches=await list_batches(visit),
        errors=errors,
        faults=faults or [],
        export=f"/api{visit.home.removeprefix('/dashboard')}/users/export/file",
        limit=visit.gateway.settings.max_body // 1000,
        api=curl(visit.managed.tenant, "POST", "/user-batches/import", example),
    )


async def upload(visit: Visit) -> GatewayResponse:
    """POST …/users/import: nothing is imported of a file that cannot be read"""
    if not visit.may("users:write"):
        raise Forbidden
    translate = visit.open().translate
    text = visit.fields.get("file", "")
    if not text.strip():
        return await _show(visit, Errors(file=translate("Choose a file with at least one user.")))
    try:
        rows = await asyncio.to_thread(user_file.read_users, text)  # up to 150 ms
    except user_file.UnreadableFile as error:
        sentence = translate("This file can't be read, so nothing was imported.")
        return await _show(visit, Errors(file=sentence), error.faults)
    try:
        batch = await _send(visit, list(user_file.pieces(rows)))
    except (Problem, ValidationError) as error:
        return await _show(visit, user_errors(visit, error))
    return redirect(f"{visit.home}/users/batches/{batch.id}")


async def _send(visit: Visit, pieces: list[list[dict[str, Any]]]) -> UserBatch:
    """Starts the import. If a piece is refused, nothing is imported."""
    whole = len(pieces) == 1
    batch = await visit.call(StartUserImport(users=pieces[0], complete=whole))
    try:
        for number, piece in enumerate(pieces[1:], 2):
            more = AddUserImportRows(
                batch_id=batch.id, first=batch.total, users=piece, complete=number == len(pieces)
            )
            batch = await visit.call(more)
    except Problem:
        await visit.call(CancelUserBatch(batch_id=batch.id))
        raise
    return batch


routes = RouteSet((dashboard_page(PATH, show), dashboard_form(PATH, upload, read=read_file_form)))
