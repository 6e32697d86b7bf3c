"""Flows: a mailed code or link, from its request to its use.

A code is valid for its flow only, in any browser. A link is valid in the browser that requested it.
Both are stored as keyed hashes and can be used once.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal

from common import audit, clock, crypto, mail
from common.address_keys import address_key
from common.context import Context
from common.contracts.links import LINKS
from common.contracts.sign_in import CodeSpent, Flow, LinkSpent, MailsSent, OtherBrowser, WrongCode
from common.contracts.tenants import Tenant
from common.db import Db
from common.events.sessions import EmailCodeSent
from common.ids import new_id
from common.ip_addresses import client_network
from identity.deps import Deps
from identity.devices import browser_hashes, device_name
from identity.limits import CODE_BY_IP, MAIL_BY_ADDRESS, MAIL_BY_APP, MAIL_BY_IP, MAIL_TO_ADDRESS
from identity.queries import codes, devices
from identity.queries.codes import ConsumedEmailCode

TTL: Final = 600
"""Seconds for which a code or link is valid."""
Type = Literal["email_code", "password_reset", "email_verification", "email_change", "link_proof"]
Purpose = Literal["sign_in", "reset", "email_change"]
"""The limits for mails count each purpose separately."""


@dataclass(frozen=True)
class Letter:
    """The mail of a flow. `real` is false if the mail says that there is no account: nobody knows
    the code in the database then. `bound` is false if somebody else requested the mail: its link
    works in any browser, and it names no device."""

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
    required: bool = False
    """An administrator requires this reset."""
    payload: dict[str, Any] = field(default_factory=dict, repr=False)
    data: dict[str, str] = field(default_factory=dict)
    """Further variables of this kind of mail."""


async def count_mail(
    deps: Deps, ctx: Context, email: str, browser: str | None, *, purpose: Purpose
) -> None:
    """Counts a mail to this address against the limits of the network and the application. Each
    network and each known browser has its own allowance for an address, so strangers cannot use up
    the owner's. Raises RateLimited, MailsSent."""
    await deps.limits.count(ctx, (MAIL_BY_IP, ctx.ip), (MAIL_BY_APP, ctx.app_id))
    address = f"{purpose}:{address_key(email)}"
    async with deps.db.reader(ctx) as db:
        is_known_browser = await devices.knows_browser(
            db,
            app_id=ctx.app_id,
            email=email,
            device_hashes=browser_hashes(deps.keys, browser) if browser else [],
        )
    if is_known_browser:
        counted = [(MAIL_BY_ADDRESS, f"{address}:browser:{browser}")]
    else:
        counted = [
            (MAIL_BY_ADDRESS, f"{address}:network:{client_network(ctx.ip)}"),
            (MAIL_TO_ADDRESS, address),
        ]
    async with deps.db.autocommit(ctx) as db:
        wait = await deps.limits.hit(db, ctx, *counted)
    if wait:
        raise MailsSent(retry_after=wait)


async def start(
    deps: Deps, ctx: Context, tx: Db, tenant: Tenant, *, letter: Letter, browser: str | None
) -> Flow:
    """Stores a code and a link, and queues the mail. The statements are the same whether the
    address has an account."""
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
        "required": "yes" if letter.required else "",
        **letter.data,
    }
    locale = letter.locale or tenant.settings.default_locale
    queued = mail.Mail(letter.to, letter.kind, locale, data, lifetime=TTL)
    await mail.enqueue(tx, ctx, deps.sealer, queued)
    event = EmailCodeSent(purpose=letter.purpose)
    await audit.record(tx, ctx, event, user_id=letter.user_id)
    return Flow(flow=flow, browser=browser, expires_at=clock.utc_now() + timedelta(seconds=TTL))


async def consume_code(
    deps: Deps, ctx: Context, flow: str, code: str, *, types: list[str]
) -> ConsumedEmailCode:
    """Consumes the code in a transaction of its own, so that a wrong try counts even if the request
    fails later. Raises WrongCode, CodeSpent, RateLimited."""
    await deps.limits.count(ctx, (CODE_BY_IP, ctx.ip))
    hashes = _code_hashes(deps, flow, code)
    async with deps.db.transaction(ctx) as tx:
        consumed_code = await codes.consume_code(
            tx, app_id=ctx.app_id, id=flow, types=types, code_hashes=hashes
        )
        may_try = consumed_code is not None or await codes.has_tries_left(
            tx, app_id=ctx.app_id, id=flow
        )
    if consumed_code is None:
        raise WrongCode if may_try else CodeSpent
    return consumed_code


async def holder_of_code(
    deps: Deps, ctx: Context, db: Db, flow: str, *, code: str, types: list[str]
) -> str | None:
    """Returns the user of a code without consuming it, or None if `consume_code` would refuse it. A
    wrong code must still be tried there, because only that counts the try."""
    hashes = _code_hashes(deps, flow, code)
    return await codes.holder_of_code(
        db, app_id=ctx.app_id, id=flow, types=types, code_hashes=hashes
    )


async def holder_of_link(
    deps: Deps, ctx: Context, db: Db, token: str, *, browser: str | None, types: list[str]
) -> str | None:
    """Returns the user of a link without consuming it, or None if `consume_link` would refuse
    it."""
    return await codes.holder_of_link(
        db,
        app_id=ctx.app_id,
        types=types,
        link_hashes=deps.keys.hashes("link", token),
        browser_hashes=deps.keys.hashes("browser", browser) if browser else None,
    )


async def consume_link(
    deps: Deps, ctx: Context, tx: Db, token: str, *, browser: str | None, types: list[str]
) -> ConsumedEmailCode:
    """Consumes the link. Raises LinkSpent, OtherBrowser."""
    hashes = deps.keys.hashes("link", token)
    consumed_code = await codes.consume_link(
        tx,
        app_id=ctx.app_id,
        types=types,
        link_hashes=hashes,
        browser_hashes=deps.keys.hashes("browser", browser) if browser else None,
    )
    if consumed_code is None:
        if await codes.is_link_valid(tx, app_id=ctx.app_id, types=types, link_hashes=hashes):
            raise OtherBrowser
        raise LinkSpent
    return consumed_code


def _code_hashes(deps: Deps, flow: str, code: str) -> list[str]:
    return deps.keys.hashes("otp", f"{flow}:{digits(code)}")


def digits(code: str) -> str:
    """Returns the code as it was mailed, without the spaces and hyphens that people type."""
    return re.sub(r"[\s-]", "", code)


def _code_hash(deps: Deps, flow: str, code: str) -> str:
    return deps.keys.hash("otp", f"{flow}:{code}")
