"""Single sign-on of organizations: what `sso_required` means for sessions.

The gate refuses sign-ins (`gate`). This module says which provider to use instead, and holds the
sessions that exist already to the same rule.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from common import audit
from common.address_keys import address_key
from common.context import Context
from common.contracts.sessions import EndUnqualifiedSessions, Revoked
from common.contracts.sign_in import SsoRequired
from common.contracts.sign_in_route import FindSignInRoute, SignInRoute
from common.db import Db
from common.events.sessions import SessionsRevoked
from identity.deps import Deps
from identity.queries import sso

BATCH: Final = 500
"""Sessions that one transaction ends."""


async def route(deps: Deps, ctx: Context, request: FindSignInRoute) -> SignInRoute:
    """Returns the provider of the organization that has verified the domain of the address."""
    tenant = await deps.tenants.get(ctx)
    if "oauth" not in tenant.settings.auth_methods:
        return SignInRoute()
    domain = address_key(request.email).rpartition("@")[2]
    async with deps.db.reader(ctx) as db:
        return SignInRoute(idp=await sso.provider_of_domain(db, app_id=ctx.app_id, domain=domain))


async def refusal(ctx: Context, db: Db, org_ids: list[str]) -> SsoRequired:
    """Returns the error for a sign-in by another way, with the provider to use."""
    provider = await sso.first_provider(db, app_id=ctx.app_id, org_ids=org_ids)
    return SsoRequired(
        idp=provider.name if provider else None,
        idp_name=provider.display_name if provider else None,
    )


async def check_active(ctx: Context, tx: Db, *, session_id: str, org_id: str | None) -> None:
    """Checks that the organization may be active in the session. Raises SsoRequired. The foreign key
    of the session says whether the user is a member."""
    if org_id is not None and await sso.closed_to(
        tx, app_id=ctx.app_id, session_id=session_id, org_id=org_id
    ):
        raise await refusal(ctx, tx, [org_id])


async def end_unqualified(deps: Deps, ctx: Context, request: EndUnqualifiedSessions) -> Revoked:
    """Ends the sessions of members that the organization's own provider did not start."""
    count = 0
    while True:
        async with deps.db.transaction(ctx) as tx:
            ended = await sso.end_unqualified(
                tx, app_id=ctx.app_id, org_id=request.org_id, limit=BATCH
            )
            for user_id, number in Counter(session.user_id for session in ended).items():
                event = SessionsRevoked(count=number, reason="sso_required")
                await audit.record(tx, ctx, event, user_id=user_id)
        for session in ended:
            await deps.invalidation.publish(ctx, "session", session.id)
        count += len(ended)
        if len(ended) < BATCH:
            return Revoked(revoked_count=count)
