"""A mail with a code and a link: made, tried, taken once.

The code is good for its flow only and works in any browser; the link only in the browser that
asked. Both are stored as keyed hashes.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from common import audit, crypto, mail
from common.addresses import address_key
from common.context import Context
from common.contracts.links import LINKS
from common.contracts.sign_in import CodeSpent, Flow, LinkSpent, MailsSent, OtherBrowser, WrongCode
from common.contracts.tenants import Tenant
from common.db import Db
from common.events.sessions import EmailCodeSent
from common.ids import new_id
from common.networks import network
from identity.deps import Deps
from identity.devices import browser_hashes, device_name
from identity.limits import CODE_BY_IP, MAIL_BY_ADDRESS, MAIL_BY_APP, MAIL_BY_IP, MAIL_TO_ADDRESS
from identity.queries import codes, sessions
from identity.queries.codes import Taken

TTL: Final = 600
"""Seconds that a code or link holds."""
Type = Literal["email_code", "password_reset", "email_verification", "email_change"]
Purpose = Literal["sign_in", "reset", "email_change"]
"""What mails are limited by, each apart."""


@dataclass(frozen=True)
class Letter:
    """What the mail of a flow is and for whom. `real` false: the mail says there is no account,
    and the code in the database is known to nobody. `bound` false: somebody else asked, so the link
    works in whichever browser its reader has, and the mail does not name the other's device."""

    to: str
    type: Type
    kind: str
    purpose: str
    link: str = "sign_in"
    user_id: str | None = None
    name: str | None = None
    locale: str | None = None
    real: bool = True
    code: bool = True
    bound: bool = True
    payload: dict[str, Any] = field(default_factory=dict, repr=False)


async def count(
    deps: Deps, ctx: Context, email: str, browser: str | None, *, purpose: Purpose
) -> None:
    """One more mail to this address, for this network, of this application. Each network has its
    own allowance for an address, and so has each browser that its user signed in from: strangers
    can't use up the owner's. Raises RateLimited, MailsSent."""
    await deps.limits.count(ctx, (MAIL_BY_IP, ctx.ip), (MAIL_BY_APP, ctx.app_id))
    address = f"{purpose}:{address_key(email)}"
    async with deps.db.reading(ctx) as db:
        known = await sessions.knows_browser(
            db,
            app_id=ctx.app_id,
            email=email,
            device_hashes=browser_hashes(deps.keys, browser) if browser else [],
        )
    if known:
        counted = [(MAIL_BY_ADDRESS, f"{address}:browser:{browser}")]
    else:
        counted = [
            (MAIL_BY_ADDRESS, f"{address}:network:{network(ctx.ip)}"),
            (MAIL_TO_ADDRESS, address),
        ]
    async with deps.db.single(ctx) as db:
        wait = await deps.limits.hit(db, ctx, *counted)
    if wait:
        raise MailsSent(retry_after=wait)


async def start(
    deps: Deps, ctx: Context, tx: Db, tenant: Tenant, letter: Letter, browser: str | None
) -> Flow:
    """Every flow takes the same statements, whoever the address belongs to."""
    flow, link = new_id(), crypto.token()
    code = f"{secrets.randbelow(1_000_000):06}"
    browser = browser or crypto.token()
    await codes.insert(
        tx,
        app_id=ctx.app_id,
        id=flow,
        email=letter.to,
        user_id=letter.user_id,
        type=letter.type,
        code_hash=_code_hash(deps, flow, code if letter.real and letter.code else crypto.token()),
        link_hash=deps.keys.hash("link", link),
        browser_hash=deps.keys.hash("browser", browser) if letter.bound else None,
        payload=letter.payload,
        ttl=TTL,
    )
    data = {
        "code": f"{code[:3]} {code[3:]}" if letter.code else "",
        "link": f"{tenant.origin}{LINKS[letter.link]}?token={link}" if letter.link else "",
        "minutes": TTL // 60,
        "name": letter.name or "",
        "device": device_name(ctx.agent) or "" if letter.bound else "",
        "ip": ctx.ip or "" if letter.bound else "",
    }
    locale = letter.locale or tenant.settings.default_locale
    queued = mail.Mail(letter.to, letter.kind, locale, data, lifetime=TTL)
    await mail.enqueue(tx, ctx, deps.sealer, queued)
    event = EmailCodeSent(purpose=letter.purpose)
    await audit.record(tx, ctx, event, user_id=letter.user_id)
    return Flow(flow=flow, browser=browser, expires_at=datetime.now(UTC) + timedelta(seconds=TTL))


async def take_code(deps: Deps, ctx: Context, flow: str, code: str, types: list[str]) -> Taken:
    """Take the code, in a transaction of its own: a wrong try counts whatever follows.
    Raises WrongCode, CodeSpent, RateLimited."""
    await deps.limits.count(ctx, (CODE_BY_IP, ctx.ip))
    hashes = _code_hashes(deps, flow, code)
    async with deps.db.transaction(ctx) as tx:
        taken = await codes.take_code(
            tx, app_id=ctx.app_id, id=flow, types=types, code_hashes=hashes
        )
        may_try = taken is not None or await codes.may_try(tx, app_id=ctx.app_id, id=flow)
    if taken is None:
        raise WrongCode if may_try else CodeSpent
    return taken


async def holder_of_code(
    deps: Deps, ctx: Context, db: Db, flow: str, code: str, types: list[str]
) -> str | None:
    """Returns whose code it is, and leaves it good; None where `take_code` would not take it. A
    wrong code must still be tried there, since only that counts it."""
    hashes = _code_hashes(deps, flow, code)
    return await codes.holder_of_code(
        db, app_id=ctx.app_id, id=flow, types=types, code_hashes=hashes
    )


async def holder_of_link(
    deps: Deps, ctx: Context, db: Db, token: str, browser: str | None, types: list[str]
) -> str | None:
    """Returns whose link it is, and leaves it good; None where `take_link` would not take it."""
    return await codes.holder_of_link(
        db,
        app_id=ctx.app_id,
        types=types,
        link_hashes=deps.keys.hashes("link", token),
        browser_hashes=deps.keys.hashes("browser", browser) if browser else None,
    )


async def take_link(
    deps: Deps, ctx: Context, tx: Db, token: str, browser: str | None, types: list[str]
) -> Taken:
    """Raises LinkSpent, OtherBrowser."""
    hashes = deps.keys.hashes("link", token)
    taken = await codes.take_link(
        tx,
        app_id=ctx.app_id,
        types=types,
        link_hashes=hashes,
        browser_hashes=deps.keys.hashes("browser", browser) if browser else None,
    )
    if taken is None:
        if await codes.link_holds(tx, app_id=ctx.app_id, types=types, link_hashes=hashes):
            raise OtherBrowser
        raise LinkSpent
    return taken


def _code_hashes(deps: Deps, flow: str, code: str) -> list[str]:
    return deps.keys.hashes("otp", f"{flow}:{digits(code)}")


def digits(code: str) -> str:
    """A code as it was mailed, whatever spaces and hyphens were typed."""
    return re.sub(r"[\s-]", "", code)


def _code_hash(deps: Deps, flow: str, code: str) -> str:
    return deps.keys.hash("otp", f"{flow}:{code}")
