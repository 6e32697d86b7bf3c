"""Proofs: an account at a provider waits until its user has proven an address or an account here.

A proof is for one account at one provider, in one browser. It dies with its use, with the user's factors,
and when the account is disconnected.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any, Final, Literal

import orjson

from common import crypto
from common.context import Context
from common.contracts.link_proofs import GetLinkProof, LinkProof, LinkProofSpent
from common.db import Db
from common.ids import new_id
from identity import provider_mapping
from identity.deps import Deps
from identity.providers.account import ProviderAccount, ProviderTokens
from identity.queries import identity_providers, link_proofs, sign_in_facts
from identity.queries.identity_providers import Provider
from identity.queries.link_proofs import NewProof, PendingProof

ProofKind = Literal["address", "account"]
TTL: Final = 900
"""Seconds."""
LABEL: Final = "link_proof"
"""The label of the tokens' hashes: no proof is a token of another kind."""


async def begin(
    deps: Deps,
    ctx: Context,
    tx: Db,
    *,
    provider: Provider,
    account: ProviderAccount,
    browser: str,
    user_id: str | None,
    payload: dict[str, Any],
    invitation: str | None,
) -> str:
    """Stores a proof and returns its token. The caller has locked the row of the user, if there is one:
    the proof ends as soon as their factors change."""
    id, token = new_id(), crypto.token()
    if user_id is not None:
        facts = await sign_in_facts.lock(tx, app_id=ctx.app_id, user_id=user_id, device_hashes=[])
        payload = payload | {"factor_epoch": facts.factor_epoch if facts else None}
    claims = provider_mapping.claims_of_rules(provider.role_mapping, account.claims)
    kept = dataclasses.asdict(dataclasses.replace(account, claims=claims))
    packed = orjson.dumps({"account": kept, "invitation": invitation})
    sealed = await deps.sealer.seal(tx, ctx.app_id, ("link_proofs", "sealed", id), packed)
    new = NewProof(
        id=id,
        token_hash=deps.keys.hash(LABEL, token),
        browser_hash=deps.keys.hash("browser", browser),
        user_id=user_id,
        idp_id=provider.id,
        iss=account.iss,
        subject=account.subject,
        sealed=sealed,
        payload=payload | {"email": account.email, "username": account.username or account.name},
        ttl=TTL,
    )
    await link_proofs.insert(tx, app_id=ctx.app_id, new=new)
    return token


async def get(deps: Deps, ctx: Context, request: GetLinkProof) -> LinkProof:
    """Returns what a proof waits for. Raises LinkProofSpent."""
    async with deps.db.reader(ctx) as db:
        proof = await live(deps, ctx, db, request.link_proof, browser=request.browser)
        provider = await identity_providers.by_id(db, app_id=ctx.app_id, idp_id=proof.idp_id)
    if provider is None:
        raise LinkProofSpent
    return LinkProof(
        kind=proof.payload["kind"],
        idp=provider.name,
        provider=provider.display_name,
        username=proof.payload["username"],
        email=proof.payload["email"],
        by_mail=proof.payload["by_mail"],
        destination=proof.payload["destination"],
    )


async def live(
    deps: Deps, ctx: Context, db: Db, token: str, *, browser: str | None
) -> PendingProof:
    """Returns the live proof of a token in its browser. Raises LinkProofSpent."""
    return _existing(await link_proofs.get(db, **_of_browser(deps, ctx, token, browser)))


async def consume(
    deps: Deps, ctx: Context, tx: Db, token: str, *, browser: str | None
) -> PendingProof:
    """Consumes the proof of a token in its browser. Raises LinkProofSpent."""
    return _existing(await link_proofs.consume(tx, **_of_browser(deps, ctx, token, browser)))


def _of_browser(deps: Deps, ctx: Context, token: str, browser: str | None) -> dict[str, Any]:
    """Returns what the statements find a proof by. Nobody has one without a browser."""
    return {
        "app_id": ctx.app_id,
        "token_hashes": deps.keys.hashes(LABEL, token),
        "browser_hashes": deps.keys.hashes("browser", browser) if browser else [],
    }


def _existing(proof: PendingProof | None) -> PendingProof:
    if proof is None:
        raise LinkProofSpent
    return proof


async def check_factors(ctx: Context, tx: Db, proof: PendingProof, user_id: str) -> None:
    """Checks, with the user's row locked, that the proof is for this user and that their factors are those
    of its beginning. Raises LinkProofSpent."""
    if proof.user_id is None:
        return
    facts = await sign_in_facts.lock(tx, app_id=ctx.app_id, user_id=user_id, device_hashes=[])
    epoch = facts.factor_epoch if facts else None
    if proof.user_id != user_id or epoch != proof.payload["factor_epoch"]:
        raise LinkProofSpent


async def opened(
    deps: Deps, ctx: Context, tx: Db, proof: PendingProof
) -> tuple[ProviderAccount, str | None]:
    """Returns the account at the provider, and the invitation with which the sign-up started."""
    place = ("link_proofs", "sealed", proof.id)
    packed = orjson.loads(await deps.sealer.open(tx, ctx.app_id, place, proof.sealed))
    fields = packed["account"]
    tokens = fields["tokens"]
    tokens |= {"expires_at": _moment(tokens["expires_at"]), "scopes": tuple(tokens["scopes"])}
    fields |= {
        "tokens": ProviderTokens(**tokens),
        "amr": tuple(fields["amr"]),
        "auth_time": _moment(fields["auth_time"]),
    }
    return ProviderAccount(**fields), packed["invitation"]


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
