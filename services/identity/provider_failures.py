"""The end of a sign-in with a provider that did not succeed."""

from __future__ import annotations

from common import audit
from common.context import Context
from common.contracts.provider_sign_in import Failure, ProviderOutcome
from common.events.identities import IdpSignInFailed
from identity.deps import Deps
from identity.queries.identity_providers import Provider


class SignInEnded(Exception):
    """A sign-in with a provider ends. `failure` decides what the user reads. `step` and `detail` go to the
    audit event, and hold no secret. `idp` is the provider to use instead, with the name to show. It never
    leaves the service."""

    def __init__(
        self,
        failure: Failure,
        step: str,
        detail: str,
        *,
        idp: str | None = None,
        idp_name: str | None = None,
    ) -> None:
        self.failure: Failure = failure
        self.step, self.detail = step, detail
        self.idp, self.idp_name = idp, idp_name
        super().__init__(f"{failure}: {step}: {detail}")


def outcome(
    ended: SignInEnded, provider: Provider | None, destination: str = "/account"
) -> ProviderOutcome:
    """Returns the failure as the reply to the gateway."""
    by_organization = ended.failure == "sso_required"
    names = (ended.idp, ended.idp_name) if by_organization else (None, None)
    if provider is not None and not by_organization:
        names = (provider.name, provider.display_name)
    return ProviderOutcome(
        kind="failed",
        failure=ended.failure,
        idp=names[0],
        provider=names[1] or "",
        destination=destination,
    )


async def record(
    deps: Deps,
    ctx: Context,
    *,
    provider: str,
    purpose: str,
    step: str,
    detail: str,
    user_id: str | None = None,
) -> None:
    """Records the failure in a transaction of its own."""
    event = IdpSignInFailed(provider=provider, purpose=purpose, step=step, detail=detail)
    async with deps.db.transaction(ctx) as tx:
        await audit.record(tx, ctx, event, user_id=user_id)
