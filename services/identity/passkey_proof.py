"""The proof by a passkey: from the browser's answer to a passkey whose holder was verified."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from common import audit
from common.context import Context
from common.contracts.passkeys import PasskeyRefused, PasskeyUnknown
from common.contracts.tenants import Tenant
from common.db import Db
from common.events.passkeys import PasskeyAttemptFailed
from common.events.sessions import LoginFailed
from identity import notices, passkey_challenges
from identity.deps import Deps
from identity.passkey_challenges import Ceremony
from identity.queries import accounts, passkeys
from identity.queries.passkeys import StoredPasskey
from identity.webauthn_answers import read_answer
from identity.webauthn_ceremonies import RefusedCeremony, VerifiedAssertion, verify_assertion


class StaleCounter(Exception):
    """The counter of a passkey has not grown: somebody may have copied it. The transaction of the
    sign-in is rolled back."""


@dataclass(frozen=True)
class PasskeyProof:
    """A passkey, and what its authenticator has just stated with a verified signature."""

    passkey: StoredPasskey
    assertion: VerifiedAssertion


async def prove(
    deps: Deps, ctx: Context, ceremony: Ceremony, *, credential: dict[str, Any]
) -> PasskeyProof:
    """Verifies the answer of a browser. `ceremony.user_id`, if there is one, is who has to hold the
    passkey. Raises Invalid, PasskeyChallengeSpent, AccountSwitched, PasskeyUnknown, PasskeyRefused."""
    answer = read_answer(credential, "authenticatorData", "signature")
    challenge = await passkey_challenges.consume(deps, ctx, ceremony, answer)
    async with deps.db.reader(ctx) as db:
        passkey = await passkeys.by_credential(
            db, app_id=ctx.app_id, credential_id=answer.credential_id
        )
    if passkey is None:
        async with deps.db.transaction(ctx) as tx:
            event = LoginFailed(method="passkey", reason="unknown_passkey")
            await audit.record(tx, ctx, event)
        raise PasskeyUnknown
    try:
        if ceremony.user_id not in (None, passkey.user_id):
            raise RefusedCeremony("owner")
        if passkey.rp_id != challenge.rp_id:
            raise RefusedCeremony("rp_id")
        assertion = verify_assertion(
            answer,
            rp_id=challenge.rp_id,
            origin=ctx.origin,
            public_key=passkey.public_key,
            user_handle=passkey.webauthn_handle,
        )
    except RefusedCeremony as refusal:
        raise await refused(deps, ctx, ceremony, reason=refusal.reason, passkey=passkey) from None
    return PasskeyProof(passkey, assertion)


async def refused(
    deps: Deps,
    ctx: Context,
    ceremony: Ceremony,
    *,
    reason: str,
    passkey: StoredPasskey | None = None,
) -> PasskeyRefused:
    """Records a refusal. Returns the problem to raise, which does not tell the reason."""
    event = PasskeyAttemptFailed(
        purpose=ceremony.purpose, reason=reason, passkey_id=passkey.id if passkey else None
    )
    user_id = passkey.user_id if passkey else ceremony.user_id
    async with deps.db.transaction(ctx) as tx:
        await audit.record(tx, ctx, event, user_id=user_id)
    return PasskeyRefused()


async def record_use(ctx: Context, tx: Db, proof: PasskeyProof) -> None:
    """Stores the counter and flags in the transaction that uses the proof. The caller has locked the
    user's row. Raises StaleCounter, and PasskeyUnknown if the passkey was removed in the meantime."""
    passkey, assertion = proof.passkey, proof.assertion
    if await passkeys.record_use(
        tx,
        app_id=ctx.app_id,
        id=passkey.id,
        user_id=passkey.user_id,
        sign_count=assertion.sign_count,
        backup_eligible=assertion.backup_eligible,
        backed_up=assertion.backed_up,
    ):
        return
    if await passkeys.get(tx, app_id=ctx.app_id, id=passkey.id, user_id=passkey.user_id) is None:
        raise PasskeyUnknown
    raise StaleCounter


async def refused_counter(
    deps: Deps, ctx: Context, tenant: Tenant, ceremony: Ceremony, *, passkey: StoredPasskey
) -> PasskeyRefused:
    """Records a counter that has not grown, and tells the owner. The passkey stays: the owner decides.
    Returns the problem to raise."""
    problem = await refused(deps, ctx, ceremony, reason="counter", passkey=passkey)
    async with deps.db.transaction(ctx) as tx:
        owner = await accounts.by_id(tx, app_id=ctx.app_id, id=passkey.user_id)
        if owner is not None:
            data = {"passkey": passkey.name, "ip": ctx.ip}
            await notices.send(deps, ctx, tx, tenant, owner=owner, kind="passkey_refused", **data)
    return problem
