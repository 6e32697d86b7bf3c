"""The applications of all teams, and the teams of a developer, as operators see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from common.context import Context
from common.contracts.applications import ApplicationNotFound
from common.contracts.developers import DeveloperTeam, DeveloperTeams, GetDeveloperTeams
from common.contracts.platform_applications import (
    MOST_USERS,
    ApplicationLabels,
    GetPlatformApplication,
    LabelApplications,
    ListPlatformApplications,
    OwnerTeam,
    PlatformApplication,
    PlatformApplicationDetails,
    PlatformApplications,
)
from common.ids import is_id
from tenancy.application_access import check_dashboard
from tenancy.deps import Deps
from tenancy.hosts import Hosts
from tenancy.name_search import searched_words
from tenancy.queries import organizations, platform_applications
from tenancy.queries.platform_applications import ApplicationMatch, PlatformApplicationRow

MOST: Final = 100
"""Teams and applications of a developer that are shown."""


async def list_(
    deps: Deps, ctx: Context, request: ListPlatformApplications
) -> PlatformApplications:
    """Returns a page of the applications of all teams, the newest first. Raises Forbidden outside the
    Dashboard."""
    check_dashboard(ctx)
    if (request.search or "").strip():
        return await _search(deps, ctx, request)
    of = f"platform applications {request.owner_org_id or ''}"
    created_at, id = deps.cursors.read(ctx.app_id, of, request.cursor, 2)
    place, limit = (created_at, id), request.limit + 1
    async with deps.registry.reader(ctx) as db:
        if request.owner_org_id is None:
            rows = await platform_applications.newest(
                db, app_id=ctx.app_id, before=place, limit=limit
            )
        else:
            rows = await platform_applications.of_team(
                db, app_id=ctx.app_id, team=request.owner_org_id, before=place, limit=limit
            )
    page, next = deps.cursors.page(
        ctx.app_id, of, rows, request.limit, key=lambda row: (row.created_at, row.id)
    )
    return _page(deps.hosts, page, next)


async def _search(
    deps: Deps, ctx: Context, request: ListPlatformApplications
) -> PlatformApplications:
    """Returns the application of the slug, id or host on the first page, then those with the words."""
    text = (request.search or "").strip()
    of = f"platform applications by name {text}"
    key, id = deps.cursors.read(ctx.app_id, of, request.cursor, 2)
    async with deps.registry.reader(ctx) as db:
        slug, domain = _slug_and_domain(deps.hosts, text.lower())
        exact = await platform_applications.exact(
            db,
            app_id=ctx.app_id,
            slug=slug,
            id=text.lower() if is_id(text.lower()) else None,
            domain=domain,
        )
        words = await searched_words(db, text)
        rows: list[ApplicationMatch] = []
        if words:
            rows = await platform_applications.named(
                db,
                app_id=ctx.app_id,
                words=words,
                after=(key, id),
                without=[row.id for row in exact],
                limit=request.limit + 1,
            )
    page, next = deps.cursors.page(
        ctx.app_id, of, rows, request.limit, key=lambda row: (row.key, row.id)
    )
    return _page(deps.hosts, page if request.cursor else [*exact, *page], next)


def _slug_and_domain(hosts: Hosts, text: str) -> tuple[str | None, str | None]:
    """Returns what a text names exactly: a slug, by itself or in a host, or a domain."""
    host = text.removeprefix("https://").removeprefix("http://").rstrip("/")
    if "." not in host:
        return host.partition(":")[0] or None, None
    name = host.partition(":")[0]
    return hosts.slug(name + hosts.port), name


async def get(
    deps: Deps, ctx: Context, request: GetPlatformApplication
) -> PlatformApplicationDetails:
    """Returns an application with the number of its users. Raises ApplicationNotFound, and Forbidden
    outside the Dashboard."""
    check_dashboard(ctx)
    async with deps.registry.reader(ctx) as db:
        rows = await platform_applications.exact(
            db, app_id=ctx.app_id, slug=request.slug, id=None, domain=None
        )
    if not rows:
        raise ApplicationNotFound
    of_application = ctx.with_application(rows[0].id, rows[0].home)
    async with deps.db.reader(of_application) as db:
        users = await platform_applications.count_users(db, app_id=rows[0].id, limit=MOST_USERS + 1)
    return PlatformApplicationDetails(
        **to_platform_application(deps.hosts, rows[0]).model_dump(),
        users=min(users, MOST_USERS),
        has_more_users=users > MOST_USERS,
    )


async def label(deps: Deps, ctx: Context, request: LabelApplications) -> ApplicationLabels:
    """Returns slugs and names, for another service. Raises Forbidden outside the Dashboard."""
    check_dashboard(ctx)
    async with deps.registry.reader(ctx) as db:
        labels = await platform_applications.labels(db, ids=request.application_ids)
    return ApplicationLabels(applications=labels)


async def teams_of_developer(
    deps: Deps, ctx: Context, request: GetDeveloperTeams
) -> DeveloperTeams:
    """Returns a developer's teams and the applications of these. Raises Forbidden outside the
    Dashboard."""
    check_dashboard(ctx)
    async with deps.registry.reader(ctx) as db:
        teams = await organizations.page_of_user(
            db, app_id=ctx.app_id, user_id=request.user_id, words=[], after=None, limit=MOST
        )
        rows = await platform_applications.of_user(
            db, app_id=ctx.app_id, user_id=request.user_id, limit=MOST
        )
    return DeveloperTeams(
        teams=[
            DeveloperTeam(
                id=team.id,
                slug=team.slug,
                name=team.name,
                is_personal=team.is_personal,
                role=team.role or "",
            )
            for team in teams
        ],
        applications=[to_platform_application(deps.hosts, row) for row in rows],
    )


def _page(
    hosts: Hosts, rows: Sequence[PlatformApplicationRow], next: str | None
) -> PlatformApplications:
    listed = [to_platform_application(hosts, row) for row in rows]
    return PlatformApplications(applications=listed, next=next)


def to_platform_application(hosts: Hosts, row: PlatformApplicationRow) -> PlatformApplication:
    """Returns the application as operators see it."""
    is_custom = row.custom_domain is not None and row.custom_domain_verified
    owner = None
    if row.owner_id is not None:
        owner = OwnerTeam(id=row.owner_id, slug=row.owner_slug or "", name=row.owner_name or "")
    return PlatformApplication(
        id=row.id,
        slug=row.slug,
        name=row.name,
        state=row.state,
        host=hosts.of_custom(row.custom_domain or "") if is_custom else hosts.of_slug(row.slug),
        is_dashboard=row.is_dashboard,
        home=row.home,
        owner=owner,
        created_at=row.created_at,
    )
