"""Notices: mails that tell the owner of an account what has happened to it."""

from __future__ import annotations

from typing import Protocol

from common import mail
from common.context import Context
from common.contracts.tenants import Tenant
from common.db import Db
from identity.deps import Deps


class Recipient(Protocol):
    """A user as a notice needs them."""

    @property
    def email(self) -> str | None: ...
    @property
    def name(self) -> str | None: ...
    @property
    def locale(self) -> str | None: ...


async def send(
    deps: Deps,
    ctx: Context,
    tx: Db,
    tenant: Tenant,
    *,
    owner: Recipient,
    kind: str,
    **data: str | None,
) -> None:
    """Queues a notice in the recipient's language. Does nothing if they have no address."""
    if owner.email is None:
        return
    letter = mail.Mail(
        to=owner.email,
        kind=kind,
        locale=owner.locale or tenant.settings.default_locale,
        data={name: value or "" for name, value in {"name": owner.name, **data}.items()},
    )
    await mail.enqueue(tx, ctx, deps.sealer, letter)
