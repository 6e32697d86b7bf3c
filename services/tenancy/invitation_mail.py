"""Composes the mail that invites somebody to an organization."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Final

from common import clock
from common.context import Context
from common.contracts.org_invitations import INVITATION_PATH, OrganizationInvitation
from common.contracts.tenants import Tenant
from common.db import Db
from common.mail import Mail
from tenancy.queries import members

PURPOSE: Final = "org_invitation"
"""The kind of the mail, and the label of the hashes of its tokens."""
DAY: Final = timedelta(days=1)


async def compose(
    tx: Db,
    ctx: Context,
    tenant: Tenant,
    invitation: OrganizationInvitation,
    *,
    org_name: str,
    token: str,
    locale: str | None,
) -> Mail:
    """Returns the mail. Its link leads to the application's stored origin.

    The host of the request does not matter: a caller cannot choose where the link leads.
    """
    inviter = (
        await members.named_user(tx, app_id=ctx.app_id, user_id=ctx.caller.user_id)
        if ctx.caller.user_id is not None
        else None
    )
    remaining = invitation.expires_at - clock.utc_now()
    data = {
        "link": f"{tenant.origin}{INVITATION_PATH}?token={token}",
        "app_name": tenant.name,
        "org_name": org_name,
        "inviter": (inviter.name or inviter.email) if inviter is not None else None,
        "role": invitation.role,
        "expires_at": invitation.expires_at.isoformat(),
        "days": math.ceil(remaining / DAY),
    }
    return Mail(
        to=invitation.email,
        kind=PURPOSE,
        locale=locale or tenant.settings.default_locale,
        data=data,
        lifetime=remaining.total_seconds(),
    )
