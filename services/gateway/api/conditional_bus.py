"""Entity tags in the JSON API (RFC 9110 sections 8.8.3 and 13).

A response that shows one object has its `ETag`. The service checks `If-Match` of a change, under the
lock of that change. A read has nothing to lock, so its conditions are checked here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeVar

from fastapi import Request, Response

from common.bus import Bus
from common.conditions import ABSENT, ANY, matches
from common.context import Context
from common.contracts.base import Contract
from common.contracts.base import Request as Call
from common.contracts.versioned import ChangedMeanwhile, ConditionUnsupported, Versioned
from gateway.http.conditions import entity_tags

R = TypeVar("R", bound=Contract)
READ: Final = "GET"
NOT_MODIFIED: Final = 304


def with_condition(http: Request, ctx: Context) -> Context:
    """Returns the Context of a change with its condition: `If-Match`, or `If-None-Match: *` for an
    object that must not exist yet. Raises BadRequest, and ConditionUnsupported for both at once and for
    other tags in `If-None-Match`."""
    if http.method == READ:
        return ctx
    wanted = entity_tags(http.headers.getlist("if-match"), "If-Match")
    unwanted = entity_tags(http.headers.getlist("if-none-match"), "If-None-Match")
    if unwanted is None:
        return ctx.with_condition(wanted)
    if wanted is not None or unwanted != (ANY,):
        raise ConditionUnsupported("With If-None-Match, send only *, and no If-Match.")
    return ctx.with_condition((ABSENT,))


def refuse_condition(http: Request) -> None:
    """Raises ConditionUnsupported for a condition of a call that changes no object with a tag."""
    if http.method != READ and ("if-match" in http.headers or "if-none-match" in http.headers):
        raise ConditionUnsupported


@dataclass(frozen=True, slots=True)
class ConditionalBus:
    """The bus for the handler of one route. It notes the entity tag of what it returns."""

    bus: Bus
    http: Request
    response: Response
    """The headers and the status that FastAPI gives the response of the route."""

    async def call(self, ctx: Context, request: Call[R]) -> R:
        """Calls as the bus does. Raises ChangedMeanwhile if a read has an `If-Match` that does not
        hold."""
        reply = await self.bus.call(ctx, request)
        # A route may put its response together from several replies. None of them is its version.
        if isinstance(reply, Versioned) and self.http.scope["route"].response_model is type(reply):
            if self.http.method == READ:
                self._compare(reply)
            elif request.conditional:
                self.response.headers["etag"] = reply.etag
        return reply

    async def raw(self, ctx: Context, request: Call[Any]) -> bytes:
        """Returns the reply as JSON, without a tag."""
        return await self.bus.raw(ctx, request)

    def _compare(self, reply: Versioned) -> None:
        headers = self.http.headers
        wanted = entity_tags(headers.getlist("if-match"), "If-Match")
        if wanted is not None and not matches(wanted, reply):
            raise ChangedMeanwhile(etag=reply.etag)
        self.response.headers["etag"] = reply.etag
        known = entity_tags(headers.getlist("if-none-match"), "If-None-Match") or ()
        # Compared without their W/ (RFC 9110 section 13.1.2). A client that has all but the state that
        # changes by itself still needs that state.
        plain = tuple(tag.removeprefix("W/") for tag in known)
        if matches(plain, reply) and not type(reply).volatile:
            self.response.status_code = NOT_MODIFIED
