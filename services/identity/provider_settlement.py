"""The transaction in which a sign-in with a provider takes effect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

import asyncpg

from common.context import Context
from common.contracts.invitations import InvitationNotFound
from common.contracts.provider_sign_in import ProviderOutcome
from common.contracts.sessions import NoSession
from common.contracts.sign_in import AccountDisabled, SsoRequired
from common.contracts.sign_up import SignUpClosed
from common.db import Db
from common.problems import Invalid
from identity import invitation_acceptance, provider_mapping, session_end, session_start
from identity.deps import Deps
from identity.provider_failures import SignInEnded
from identity.provider_flow import AccountAppeared, Resolution, SignInFlow
from identity.queries import identity_providers
from identity.queries.identity_providers import Provider

Work = Callable[[Deps, Context, Db, SignInFlow], Awaitable[Resolution]]
ATTEMPTS: Final = 3


async def settled(deps: Deps, ctx: Context, flow: SignInFlow, work: Work) -> ProviderOutcome:
    """Does the work in a transaction, in which the provider is read once more. The application is read
    before. A second request that did the same at the same moment leads to the same user. Raises
    SignInEnded, TooManyIdentities."""
    tenant = await deps.tenants.get(ctx)
    if "oauth" not in tenant.settings.auth_methods:
        raise SignInEnded("provider_off", "provider", "the application uses no providers")
    flow = replace(flow, tenant=tenant)
    for attempt in range(ATTEMPTS):
        try:
            async with deps.db.transaction(ctx) as tx:
                await _check_provider(ctx, tx, flow.provider)
                resolution = await work(deps, ctx, tx, flow)
            return await _outcome(deps, ctx, flow, resolution)
        except (asyncpg.UniqueViolationError, AccountAppeared):
            if attempt == ATTEMPTS - 1:
                raise SignInEnded("over", "account", "changed at the same moment") from None
        except asyncpg.ForeignKeyViolationError:
            raise SignInEnded("provider_off", "provider", "deleted meanwhile") from None
        except NoSession:
            raise SignInEnded("other_account", "session", "it has ended") from None
        except AccountDisabled:
            raise SignInEnded("account_disabled", "account", "the user is disabled") from None
        except SsoRequired as required:
            raise SignInEnded(
                "sso_required",
                "gate",
                "the user's organization requires its own provider",
                idp=required.extra.get("idp"),
                idp_name=required.extra.get("idp_name"),
            ) from None
        except InvitationNotFound:
            raise SignInEnded("over", "sign_up", "the invitation was used meanwhile") from None
        except SignUpClosed:
            raise SignInEnded("sign_up_closed", "sign_up", "by invitation only") from None
        except Invalid as invalid:
            raise SignInEnded("email_refused", "sign_up", invalid.detail) from None
    raise AssertionError("the last attempt returns or raises")


async def _check_provider(ctx: Context, tx: Db, provider: Provider) -> None:
    """Raises SignInEnded if the provider was switched off, deleted or changed since the response."""
    now = await identity_providers.by_id(tx, app_id=ctx.app_id, idp_id=provider.id)
    if now is None or not now.enabled:
        raise SignInEnded("provider_off", "provider", "switched off meanwhile")
    before = (provider.issuer, provider.client_id, provider.org_id)
    if (now.issuer, now.client_id, now.org_id) != before:
        raise SignInEnded("provider_off", "provider", "changed meanwhile")
    if (now.trusts_email, now.trusts_factors) != (provider.trusts_email, provider.trusts_factors):
        raise SignInEnded("over", "provider", "changed meanwhile")


async def _outcome(
    deps: Deps, ctx: Context, flow: SignInFlow, resolution: Resolution
) -> ProviderOutcome:
    """Does what follows the commit, and returns the reply."""
    common = {
        "idp": flow.provider.name,
        "provider": flow.provider.display_name,
        "destination": flow.destination,
    }
    if resolution.proof is not None:
        kind = "account_needed" if resolution.kind == "account" else "address_needed"
        return ProviderOutcome(kind=kind, link_proof=resolution.proof, **common)
    if resolution.started is None:
        return ProviderOutcome(kind="linked", **common)
    if resolution.ended is not None:
        user_id = resolution.started.user_id
        await session_end.publish_revocations(deps, ctx, user_id, resolution.ended)
    session = await session_start.finish(deps, ctx, resolution.started)
    if resolution.signed_up:
        await invitation_acceptance.assign_roles(
            deps, ctx, resolution.started.user_id, flow.role_ids
        )
    session = await provider_mapping.apply(
        deps, ctx, flow, user_id=resolution.started.user_id, signed_in=session
    )
    return ProviderOutcome(kind="signed_in", session=session, **common)
