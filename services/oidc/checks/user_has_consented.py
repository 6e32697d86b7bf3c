"""OpenID Connect Core section 3.1.2.4: consent, remembered per client and scope; a first-party
client's users are not asked. Scopes, resources and the `claims` parameter are one decision."""

from __future__ import annotations

from common import audit
from common.context import Context
from common.contracts.authorization import Authorization
from common.contracts.oauth_errors import AccessDenied, ConsentRequired
from common.events.consents import ConsentGranted
from oidc import claims, prompts, scopes
from oidc.deps import Deps
from oidc.queries import authorization_requests, consents
from oidc.request import AuthorizationRequest


async def user_has_consented(
    deps: Deps, ctx: Context, request: AuthorizationRequest
) -> Authorization | None:
    assert request.session is not None
    user_id = request.session.user_id
    request.scopes = await scopes.held(deps, ctx, request.scopes, user_id, request.session.org_id)
    givers = await scopes.claim_givers(deps, ctx, request.client, request.scopes)
    request.claims, request.claim_scopes = claims.within_scopes(
        request.claims, request.scopes, givers
    )
    if _decided_by_this_user(request):
        if request.consent == "deny":
            await _close(deps, ctx, request)
            raise AccessDenied
        if request.consent == "allow":
            await _remember(deps, ctx, request)
            return None
    if "consent" not in request.prompts and await _covered(deps, ctx, request):
        return None
    if request.silent:
        raise ConsentRequired
    return await prompts.consent(deps, ctx, request)


def _decided_by_this_user(request: AuthorizationRequest) -> bool:
    """Only he who was shown the question can answer it."""
    return (
        request.pending is not None
        and request.session is not None
        and request.pending.user_id == request.session.user_id
        and request.prompted("consent")
    )


async def _covered(deps: Deps, ctx: Context, request: AuthorizationRequest) -> bool:
    if request.client.first_party:
        return True
    assert request.session is not None
    user_id, client_id = request.session.user_id, request.client.client_id
    key = (ctx.app_id, "consent", user_id, client_id)
    known = deps.known.consents.get(key)
    wanted = frozenset(request.consent_scopes) | {f"resource {uri}" for uri in request.resource}
    if known is not None and wanted <= known:
        return True
    async with deps.db.reading(ctx) as db:
        found = await consents.find(db, app_id=ctx.app_id, user_id=user_id, client_id=client_id)
    if found is None:
        return False
    known = frozenset(found.scopes) | {f"resource {uri}" for uri in found.resources}
    tags = [("consent", client_id), ("consent", user_id), ("client", client_id), ("user", user_id)]
    deps.known.consents.put(key, known, tags)
    return wanted <= known


async def _remember(deps: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    assert request.session is not None
    user_id, client_id = request.session.user_id, request.client.client_id
    async with deps.db.transaction(ctx) as tx:
        await consents.add(
            tx,
            app_id=ctx.app_id,
            user_id=user_id,
            client_id=client_id,
            scopes=request.consent_scopes,
            resources=request.resource,
        )
        event = ConsentGranted(client_id=client_id, scopes=request.consent_scopes)
        await audit.record(tx, ctx, event, user_id=user_id)


async def _close(deps: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    assert request.pending is not None
    async with deps.db.single(ctx) as db:
        await authorization_requests.use(db, app_id=ctx.app_id, id_hash=request.pending.id_hash)
