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

DASHBOARD_ONLY = True
router = NounRouter(tags=["applications"])


class NewOwner(Contract):
    """The team that shall own the application."""

    owner_org_id: Id


@router.post("/applications", status_code=201, summary="Create an application")
async def create(new: CreateApplication, ctx: SignedIn, bus: TheBus) -> NewApplication:
    """Its slug is generated and its first two API keys are in the answer, this once. It answers on
    its host as soon as `state` is `active`, usually before this answer. Needs `apps:create`."""
    return await bus.call(ctx, new)


@router.get("/applications", summary="List your teams' applications")
async def list_(
    page: Annotated[ListApplications, Query()], ctx: SignedIn, bus: TheBus
) -> Applications:
    """Oldest first; operators see all. Needs `apps:read`."""
    return await bus.call(ctx, page)


@router.get("/applications/{slug}", summary="Get an application")
async def get(slug: str, ctx: SignedIn, bus: TheBus) -> Application:
    """Branding, settings, hosts and owner. Needs `apps:read` and its team."""
    return await bus.call(ctx, GetApplication(slug=slug))


@router.patch("/applications/{slug}", summary="Change an application")
async def update(slug: str, changes: ApplicationPatch, ctx: SignedIn, bus: TheBus) -> Application:
    """Only what is sent changes; null clears; settings are merged. Effective everywhere when the
    answer arrives. Needs `apps:write` and the team
    role `admin` or `developer`."""
    return await bus.call(ctx, UpdateApplication(slug=slug, changes=changes))


@router.put("/applications/{slug}", summary="Change an application (the same as PATCH)")
async def put(slug: str, changes: ApplicationPatch, ctx: SignedIn, bus: TheBus) -> Application:
    """Kept for clients of the original API, whose PUT merges. Needs `apps:write` and the team
    role `admin` or `developer`."""
    return await bus.call(ctx, UpdateApplication(slug=slug, changes=changes))


@router.delete("/applications/{slug}", summary="Delete an application and everything in it")
async def delete(
    slug: str,
    ctx: SignedIn,
    bus: TheBus,
    confirm: Annotated[
        str | None, Query(max_length=63, description="Required: the slug, typed again.")
    ] = None,
) -> Done:
    """For good: users, sessions, keys, logs. Needs `apps:delete` and the team
    role `admin` or `developer`."""
    if confirm is None:
        raise Invalid(errors=[field_error("confirm", "slug_unconfirmed")])
    return await bus.call(ctx, DeleteApplication(slug=slug, confirm=confirm))


@router.post("/applications/{slug}/transfer", summary="Hand an application to another team")
async def transfer(slug: str, to: NewOwner, ctx: SignedIn, bus: TheBus) -> Application:
    """To a team that you are in too; operators to any. Needs `apps:transfer` and the team
    role `admin` or `developer`."""
    return await bus.call(ctx, TransferApplication(slug=slug, owner_org_id=to.owner_org_id))
