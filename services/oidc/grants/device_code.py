"""The device code grant (RFC 8628 sections 3.4 and 3.5)."""

from __future__ import annotations

from common.context import Context
from common.contracts.device_authorization import AuthorizationPending, ExpiredToken, SlowDown
from common.contracts.oauth_errors import AccessDenied, InvalidGrant, UnsupportedGrantType
from common.contracts.tokens import Tokens
from oidc import device_start, family_start
from oidc.code_content import CodeContent
from oidc.deps import Deps
from oidc.queries import device_codes, device_redemption
from oidc.queries.device_codes import Poll
from oidc.queries.device_redemption import DeviceKey
from oidc.token_request import TokenRequest

MAX_LENGTH = 200
"""Characters of a device code."""
UNKNOWN = "the device code is unknown, used or of another client"


async def handle(deps: Deps, ctx: Context, request: TokenRequest) -> Tokens:
    """Answers a poll: with tokens if the user has approved, else with the error for what it waits for.

    Raises AuthorizationPending, SlowDown, AccessDenied, ExpiredToken and InvalidGrant.
    """
    presented = request.parameters.required("device_code")
    if not await device_start.is_on(deps, ctx):
        raise UnsupportedGrantType
    if len(presented) > MAX_LENGTH:
        raise InvalidGrant(UNKNOWN)
    client = request.client
    async with deps.db.autocommit(ctx) as db:
        poll = await device_codes.poll(
            db,
            app_id=ctx.app_id,
            device_code_hashes=deps.keys.hashes("device-code", presented),
            client_id=client.client_id,
        )
    content = _approved_content(poll)
    key = DeviceKey(device_code_hash=poll.device_code_hash)
    return await family_start.redeem(
        deps,
        ctx,
        request,
        content,
        statement=device_redemption.REDEEM,
        consumed=key,
        kind="device",
    )


def _approved_content(poll: Poll | None) -> CodeContent:
    """Returns what the user approved. Raises the error that the client polls for, or ends with.

    Only a device that still waits is told to slow down: an answer need not wait.
    """
    if poll is None or poll.used:
        raise InvalidGrant(UNKNOWN)
    if poll.status == "denied":
        raise AccessDenied
    if poll.expired:
        raise ExpiredToken
    if poll.status == "pending":
        raise SlowDown if poll.too_fast else AuthorizationPending
    content = CodeContent.decoded(poll.id, poll.content or {})
    if content is None:  # a newer replica has bound it to something that is not known here
        raise InvalidGrant(UNKNOWN)
    return content
