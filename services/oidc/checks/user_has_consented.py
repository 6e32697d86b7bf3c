"""Consent (OpenID Connect Core section 3.1.2.4).

A consent is stored for each client and scope. Users of first-party clients are not asked. The user
decides on scopes, resources and the `claims` parameter together.
"""

from __future__ import annotations

from common import audit
from common.context import Context
from common.contracts.authorization import Authorization
from common.contracts.oauth_errors import AccessDenied, ConsentRequired
from common.events.consents import ConsentGranted
from oidc import claims, client_cache, client_documents, prompts, scope_catalogue
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps
from oidc.queries import authorization_requests, consents


async def user_has_consented(
    deps: Deps, ctx: Context, request: AuthorizationRequest
) -> Authorization | None:
    """Sends the user to the consent page, unless they have consented or decided now.

    Removes scopes from the request for whose permission the user has no right. Raises AccessDenied
    if the user denied the request.
    """
    assert request.session is not None
    session = request.session
    request.scopes = await scope_catalogue.select_permitted(
        deps, ctx, request.scopes, user_id=session.user_id, org_id=session.org_id
    )
    claims_by_scope = await scope_catalogue.claims_by_scope(
        deps, ctx, request.client, request.scopes
    )
    request.claims, request.claim_scopes = claims.within_scopes(
        request.claims, request.scopes, claims_by_scope
    )
    if _decided_by_this_user(request):
        if request.consent == "deny":
            await _mark_answered(deps, ctx, request)
            raise AccessDenied
        if request.consent == "allow":
            await _store(deps, ctx, request)
            return None
    if "consent" not in request.prompts and await _has_consent(deps, ctx, request):
        return None
    if request.silent:
        raise ConsentRequired
    return await prompts.consent(deps, ctx, request)


def _decided_by_this_user(request: AuthorizationRequest) -> bool:
    """Returns whether the answer is from the user who was shown the consent page."""
    return (
        request.pending is not None
        and request.session is not None
        and request.pending.user_id == request.session.user_id
        and request.was_prompted("consent")
    )


async def _has_consent(deps: Deps, ctx: Context, request: AuthorizationRequest) -> bool:
    """Returns whether a stored consent covers the request, or none is needed."""
    if request.client.first_party:
        return True
    assert request.session is not None
    user_id, client_id = request.session.user_id, request.client.client_id
    key = (ctx.app_id, "consent", user_id, client_id)
    allowed = deps.caches.consents.get(key)
    requested = frozenset(request.consent_scopes) | {f"resource {uri}" for uri in request.resource}
    if allowed is not None and requested <= allowed:
        return True
    async with deps.db.reader(ctx) as db:
        consent = await consents.find(db, app_id=ctx.app_id, user_id=user_id, client_id=client_id)
    if consent is None:
        return False
    allowed = frozenset(consent.scopes) | {f"resource {uri}" for uri in consent.resources}
    tags = [("consent", client_id), ("consent", user_id), ("client", client_id), ("user", user_id)]
    deps.caches.consents.put(key, allowed, tags)
    return requested <= allowed


async def _store(deps: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    assert request.session is not None
    user_id, client_id = request.session.user_id, request.client.client_id
    is_document = request.client.source == "document"
    async with deps.db.transaction(ctx) as tx:
        if is_document:
            await client_documents.register(tx, ctx, request.client, user_id=user_id)
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
    if is_document:
        await _use_stored_client(deps, ctx, request)


async def _use_stored_client(deps: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    """Continues with the client as it is stored now: another user may have consented at the same time."""
    client = await client_cache.find_registered(deps, ctx, request.client.client_id)
    if client is None or not client.enabled:
        raise AccessDenied
    request.client = client


async def _mark_answered(deps: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    assert request.pending is not None
    async with deps.db.autocommit(ctx) as db:
        await authorization_requests.mark_answered(
            db,
            app_id=ctx.app_id,
            id_hash=request.pending.id_hash,
            pushed_hash=request.pushed_hash,
        )
