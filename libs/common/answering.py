"""How a service answers a request of the bus: checks, then the handler, within the deadline."""

from __future__ import annotations

import re
from typing import Any, Final

from pydantic import ValidationError

from common import caller_limits, conditions, freshness, logs
from common.bus import Handler, subject_of
from common.context import Context
from common.contracts.base import Contract, Request
from common.db import committed
from common.field_errors import field_errors
from common.problems import Forbidden, Invalid, Outdated, TooLate
from common.time_limit import TimeLimit

log = logs.get(__name__)

NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""A NUL character as JSON writes it. After an odd number of backslashes it is ordinary text."""


async def answer(
    handler: Handler,
    deps: Any,
    contract: type[Request[Any]],
    ctx: Context,
    *,
    data: bytes,
    subject: str,
) -> Contract:
    """Checks a request, runs its handler and returns the reply. Every request takes this path, over
    NATS and in memory.

    Raises Forbidden if the caller may not make the call, or if the request came on a subject of
    another kind of caller; Impersonating or GuestRefused; FreshSignInNeeded, FreshTokenNeeded or
    SecondFactorNeeded; ConditionUnsupported; Invalid for a malformed request; TooLate if the time is
    over; and what the handler raises.
    """
    if subject != subject_of(ctx, contract):
        log.warning("caller on another's subject", subject=subject, kind=ctx.caller.kind)
        raise Forbidden("calls of this caller have another subject")
    ctx.allow(contract.needs, teammates=contract.teammates)
    caller_limits.check(ctx.caller, contract)
    if contract.fresh:
        freshness.check(ctx.caller, contract)
    if b"\\u0000" in data and NUL.search(data):  # Postgres text cannot hold it
        raise Invalid("a text contains a NUL character")
    try:
        request = contract.model_validate_json(data or b"{}")
    except ValidationError as error:
        listed = error.errors(include_url=False, include_input=False)
        raise Invalid(errors=field_errors(listed)) from None
    ctx = ctx.for_reply()
    try:
        with TimeLimit(ctx.remaining()):
            return await _run(handler, deps, ctx, request)
    except TimeoutError:
        raise TooLate from None


async def _run(handler: Handler, deps: Any, ctx: Context, request: Request[Any]) -> Contract:
    """Runs the handler. Runs it a second time if a changed table rolled back all that it did. Each
    run checks the condition of the request itself."""
    committed.set(False)
    if_match, ctx = ctx.if_match, ctx.with_condition(None)
    try:
        with conditions.condition_of(type(request), if_match):
            return await handler(deps, ctx, request)
    except Outdated:
        if committed.get():
            raise
        log.info("once more", subject=request.subject, trace=ctx.trace)
        with conditions.condition_of(type(request), if_match):
            return await handler(deps, ctx, request)


def encode_reply(reply: Contract) -> bytes:
    """Returns the JSON of a reply."""
    return reply.model_dump_json(exclude_none=reply.omits_none).encode()
