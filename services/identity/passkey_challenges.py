"""Challenges of passkey ceremonies: 32 random bytes, for five minutes, for one use.

A challenge belongs to a purpose, a host, and the browser or session in which it was made. It is used up
before any cryptography, also by an answer that is then refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from common.context import Context
from common.contracts.passkeys import AccountSwitched, PasskeyChallengeSpent
from common.contracts.sign_in import MethodOff
from common.contracts.tenants import Tenant, UnknownHost
from common.crypto import token
from common.db import Db
from identity.deps import Deps
from identity.queries import webauthn_challenges
from identity.queries.webauthn_challenges import PasskeyChallenge
from identity.webauthn_answers import BrowserAnswer

TTL: Final = 300
"""Seconds."""
PURPOSE: Final = "webauthn"
"""The label of the challenges' hashes."""
Purpose = Literal["register", "sign_in", "sign_up", "second_factor", "step_up"]


@dataclass(frozen=True)
class Ceremony:
    """The purpose of a challenge, and the browser or session in which it may be answered."""

    purpose: Purpose
    browser: str | None = field(default=None, repr=False)
    session_id: str | None = None
    user_id: str | None = None


async def issue(
    deps: Deps,
    ctx: Context,
    tx: Db,
    ceremony: Ceremony,
    *,
    rp_id: str,
    payload: dict[str, Any] | None = None,
) -> str:
    """Stores a new challenge. Returns it as base64url text."""
    challenge = token()
    browser = ceremony.browser
    row = PasskeyChallenge(
        purpose=ceremony.purpose,
        rp_id=rp_id,
        browser_hash=deps.keys.hash(PURPOSE, f"browser:{browser}") if browser else None,
        session_id=ceremony.session_id,
        user_id=ceremony.user_id,
        payload={"origin": ctx.origin, **(payload or {})},
    )
    await webauthn_challenges.insert(
        tx,
        app_id=ctx.app_id,
        challenge_hash=deps.keys.hash(PURPOSE, challenge),
        challenge=row,
        ttl=TTL,
    )
    return challenge


async def consume(
    deps: Deps, ctx: Context, ceremony: Ceremony, answer: BrowserAnswer
) -> PasskeyChallenge:
    """Uses up the challenge of an answer, in a transaction of its own. Raises PasskeyChallengeSpent,
    and AccountSwitched if it was made for another user or in another session."""
    async with deps.db.transaction(ctx) as tx:
        row = await webauthn_challenges.consume(
            tx, app_id=ctx.app_id, challenge_hashes=deps.keys.hashes(PURPOSE, answer.challenge)
        )
    if row is None or row.purpose != ceremony.purpose or row.payload.get("origin") != ctx.origin:
        raise PasskeyChallengeSpent
    if row.browser_hash is not None:
        own = deps.keys.hashes(PURPOSE, f"browser:{ceremony.browser or ''}")
        if row.browser_hash not in own:
            raise PasskeyChallengeSpent
    if (row.user_id, row.session_id) != (ceremony.user_id, ceremony.session_id):
        raise AccountSwitched
    return row


def check_offered(tenant: Tenant) -> None:
    """Raises MethodOff if the application does not offer passkeys."""
    if "passkey" not in tenant.settings.auth_methods:
        raise MethodOff


def host_of(ctx: Context, tenant: Tenant) -> str:
    """Returns the host of this call, to which new passkeys belong: one of the application's own, never
    a domain above it. Raises UnknownHost."""
    parts = urlsplit(ctx.origin)
    if parts.netloc not in tenant.hosts or not parts.hostname:
        raise UnknownHost
    return parts.hostname


def rp_id_of(ctx: Context, tenant: Tenant, rp_id: str | None) -> str:
    """Returns the host whose passkeys are asked for: the one of this call, or another one of the
    application. Raises UnknownHost."""
    own = host_of(ctx, tenant)
    if rp_id is None or rp_id == own:
        return own
    if rp_id not in other_hosts(ctx, tenant):
        raise UnknownHost
    return rp_id


def other_hosts(ctx: Context, tenant: Tenant) -> list[str]:
    """Returns the application's other hosts, without ports."""
    names = {urlsplit(f"//{host}").hostname or "" for host in tenant.hosts}
    return sorted(names - {host_of(ctx, tenant), ""})
