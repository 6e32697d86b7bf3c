"""The device code grant (RFC 8628 sections 3.4 and 3.5)."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final

from common.context import Context
from common.contracts.device_authorization import AuthorizationPending, ExpiredToken, SlowDown
from common.contracts.oauth_errors import AccessDenied, InvalidGrant
from common.contracts.tokens import Tokens
from oidc import family_start, oauth_switches
from oidc.deps import Deps
from oidc.queries import device_codes, device_redemption
from oidc.queries.device_codes import Poll
from oidc.queries.device_redemption import DeviceKey
from oidc.token_request import TokenRequest

MAX_LENGTH: Final = 200
"""Characters of a device code."""
UNKNOWN: Final = "the device code is unknown, used or of another client"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedDevice:
    """The device that a user has approved. A device sends no nonce and requests no single claims."""

    id: str
    client_epoch: int
    user_id: str
    user_epoch: int
    session_id: str
    scopes: list[str]
    resource: list[str]
    auth_time: datetime
    acr: str | None
    amr: list[str]
    org_id: str | None
    revocations: list[str]
    cnf: dict[str, Any] | None
    authorization_details: list[dict[str, Any]] | None
    claims: dict[str, Any] | None = field(default=None, init=False)
    nonce: str | None = field(default=None, init=False)


async def handle(deps: Deps, ctx: Context, request: TokenRequest) -> Tokens:
    """Answers a poll: with tokens if the user has approved, else with the error for what it waits for.

    Raises AuthorizationPending, SlowDown, AccessDenied, ExpiredToken and InvalidGrant.
    """
    presented = request.parameters.required("device_code")
    await oauth_switches.check_device_code(deps, ctx)
    if len(presented) > MAX_LENGTH:
        raise InvalidGrant(UNKNOWN)
    async with deps.db.autocommit(ctx) as db:
        poll = await device_codes.poll(
            db,
            app_id=ctx.app_id,
            device_code_hashes=deps.keys.hashes("device-code", presented),
            client_id=request.client.client_id,
        )
    if poll is None:
        raise InvalidGrant(UNKNOWN)
    return await family_start.redeem(
        deps,
        ctx,
        request,
        _approved(poll),
        statement=device_redemption.REDEEM,
        consumed=DeviceKey(device_code_hash=poll.device_code_hash),
        kind="device",
    )


def _approved(poll: Poll) -> ApprovedDevice:
    """Returns what the user approved. Raises the error that the client polls for, or ends with.

    Only a device that still waits is told to slow down: an answer need not wait.
    """
    if poll.used:
        raise InvalidGrant(UNKNOWN)
    if poll.status == "denied":
        raise AccessDenied
    if poll.expired:
        raise ExpiredToken
    if poll.status == "pending":
        raise SlowDown if poll.too_fast else AuthorizationPending
    names = [each.name for each in fields(ApprovedDevice) if each.init]
    return ApprovedDevice(**{name: getattr(poll, name) for name in names})
