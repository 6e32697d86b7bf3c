"""Applications, for the developers who run them. Only on the Dashboard's host."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from common.contracts.applications import (
    Application,
    ApplicationPatch,
    Applications,
    CreateApplication,
    DeleteApplication,
    GetApplication,
    ListApplications,
    NewApplication,
    TransferApplication,
    UpdateApplication,
)
from common.contracts.base import Contract, Done, Id
from common.field_errors import field_error
from common.problems import Invalid
from gateway.api.deps import SignedIn, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import HostKind, RouteSet

router = NounRouter(tags=["applications"])


class NewOwner(Contract):
    """The team that will own the application."""

    owner_org_id: Id


@router.post("/applications", status_code=201, summary="Create an application")
async def create(new: CreateApplication, ctx: SignedIn, bus: TheBus) -> NewApplication:
    """Creates an application with a generated slug. The answer holds its first two API keys in
    full. They cannot be shown again. The application is reachable at its host once `state` is
    `active`, usually by the time this call returns. Needs `apps:create`."""
    return await bus.call(ctx, new)


@router.get("/applications", summary="List applications")
async def list_(
    page: Annotated[ListApplications, Query()], ctx: SignedIn, bus: TheBus
) -> Applications:
    """Lists the applications of your teams, oldest first. Operators see all applications. Needs
    `apps:read`."""
    return await bus.call(ctx, page)


@router.get("/applications/{slug}", summary="Get an application")
async def get(slug: str, ctx: SignedIn, bus: TheBus) -> Application:
    """Returns branding, settings, hosts and owner. Needs `apps:read` and a membership in the team
    that owns the application."""
    return await bus.call(ctx, GetApplication(slug=slug))


@router.patch("/applications/{slug}", summary="Update an application")
async def update(slug: str, changes: ApplicationPatch, ctx: SignedIn, bus: TheBus) -> Application:
    """Changes the fields that you send. `null` clears a field. Settings are merged, name by name.
    The change is effective everywhere when this call returns. Needs `apps:write` and the team role
    `admin` or `developer`."""
    return await bus.call(ctx, UpdateApplication(slug=slug, changes=changes))


@router.put("/applications/{slug}", summary="Update an application (same as PATCH)")
async def put(slug: str, changes: ApplicationPatch, ctx: SignedIn, bus: TheBus) -> Application:
    """Does the same as PATCH: fields that you leave out stay as they are. Needs `apps:write` and
    the team role `admin` or `developer`."""
    return await bus.call(ctx, UpdateApplication(slug=slug, changes=changes))


@router.delete("/applications/{slug}", summary="Delete an application")
async def delete(
    slug: str,
    ctx: SignedIn,
    bus: TheBus,
    confirm: Annotated[
        str | None,
        Query(max_length=63, description="Required: the slug of the application, to confirm."),
    ] = None,
) -> Done:
    """Deletes the application with its users, sessions, keys and logs. This cannot be undone. Needs
    `apps:delete` and the team role `admin` or `developer`."""
    if confirm is None:
        raise Invalid(errors=[field_error("confirm", "slug_unconfirmed")])
    return await bus.call(ctx, DeleteApplication(slug=slug, confirm=confirm))


@router.post("/applications/{slug}/transfer", summary="Transfer an application to another team")
async def transfer(slug: str, to: NewOwner, ctx: SignedIn, bus: TheBus) -> Application:
    """Transfers the application to another of your teams. Operators can transfer it to any team.
    Needs `apps:transfer` and the team role `admin` or `developer`."""
    return await bus.call(ctx, TransferApplication(slug=slug, owner_org_id=to.owner_org_id))


routes = RouteSet(router=router, host=HostKind.DASHBOARD)
