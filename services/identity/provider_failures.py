"""The end of a sign-in with a provider that did not succeed."""

from __future__ import annotations

from common import audit
from common.context import Context
from common.contracts.provider_sign_in import Failure
from common.events.identities import IdpSignInFailed
from identity.deps import Deps


class SignInEnded(Exception):
    """A sign-in with a provider ends. `failure` decides what the user reads. `step` and `detail` go to the
    audit event, and hold no secret. It never leaves the service."""

    def __init__(self, failure: Failure, step: str, detail: str) -> None:
        self.failure: Failure = failure
        self.step, self.detail = step, detail
        super().__init__(f"{failure}: {step}: {detail}")


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
