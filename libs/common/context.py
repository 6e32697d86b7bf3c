"""The context of a call: the application, the caller, the deadline, and the trace."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import orjson

from common import logs, tracing
from common.caller import Caller as Caller
from common.caller import from_wire, wire_of
from common.contracts.base import KNOWN, SIGNED_IN, SYSTEM
from common.contracts.step_up import SecondFactorNeeded
from common.homes import MAIN
from common.ids import DASHBOARD, is_app_id
from common.problems import BadRequest, Forbidden, TooLate, Unauthenticated

RETURN_OVERHEAD: Final = 0.020
"""Seconds a callee keeps to report its own timeout."""
MEANINGFUL_WORK: Final = 0.050
"""Seconds. With less time left, starting is useless."""
HEADER: Final = "Context"

EVERYTHING: Final = frozenset({"*"})
OF_DEVELOPERS: Final = {
    "users:read": "developers:read",
    "users:write": "developers:write",
    "users:delete": "developers:write",
}
"""The users of the Dashboard are the developers of all teams. By permission on users: the
permission that is needed there in addition."""


ANONYMOUS: Final = Caller()
SYSTEM_CALLER: Final = Caller(kind="system", permissions=EVERYTHING)


@dataclass(frozen=True, init=False)
class Context:
    """Travels with every call in one header. `deadline` is a time of `time.monotonic()`, and `trace` is a W3C
    traceparent. `ip` and `agent` are those of the client, for the audit log. `origin` is the origin
    of the host that was called, and so the issuer. `if_match` has the entity tags of which one must
    be current (RFC 9110 section 13.1.1). `home` is the cluster of the application."""

    app_id: str
    caller: Caller = ANONYMOUS
    deadline: float = 0.0
    trace: str = ""
    origin: str = ""
    ip: str | None = None
    agent: str | None = field(default=None, repr=False)
    if_match: tuple[str, ...] | None = None
    home: str = MAIN

    def __init__(
        self,
        app_id: str,
        caller: Caller = ANONYMOUS,
        deadline: float = 0.0,
        trace: str = "",
        *,
        origin: str = "",
        ip: str | None = None,
        agent: str | None = None,
        if_match: tuple[str, ...] | None = None,
        home: str = MAIN,
    ) -> None:
        # Each call makes four. The generated __init__ of a frozen dataclass takes twice as long.
        self.__dict__.update(
            app_id=app_id,
            caller=caller,
            deadline=deadline,
            trace=trace,
            origin=origin,
            ip=ip,
            agent=agent,
            if_match=if_match,
            home=home,
        )

    def remaining(self) -> float:
        """Returns the seconds until the deadline; negative after it."""
        return self.deadline - time.monotonic()

    def with_time_limit(self, seconds: float) -> Context:
        """Returns the context with a deadline in `seconds` at the latest."""
        return self._until(min(self.deadline, time.monotonic() + seconds))

    def _until(self, deadline: float) -> Context:
        # Twice as fast as dataclasses.replace, and on the way of every call.
        return Context(
            self.app_id,
            self.caller,
            deadline,
            self.trace,
            origin=self.origin,
            ip=self.ip,
            agent=self.agent,
            if_match=self.if_match,
            home=self.home,
        )

    def with_caller(self, caller: Caller) -> Context:
        """Returns the context with another caller."""
        return replace(self, caller=caller)

    def with_condition(self, if_match: tuple[str, ...] | None) -> Context:
        """Returns the context of a call under this condition, or under none."""
        return self if if_match == self.if_match else replace(self, if_match=if_match)

    def with_trace(self, trace: str) -> Context:
        """Returns the context with the traceparent of another span."""
        return replace(self, trace=trace)

    def with_application(self, app_id: str, home: str = MAIN) -> Context:
        """Returns the context with another application, which lives in the cluster `home`."""
        return self if app_id == self.app_id else replace(self, app_id=app_id, home=home)

    def with_home(self, home: str) -> Context:
        """Returns the context with the cluster of its application."""
        return self if home == self.home else replace(self, home=home)

    def as_system(self) -> Context:
        """Returns the context of a call that we make to another of our services for the caller."""
        return replace(self, caller=replace(SYSTEM_CALLER, id=self.caller.id))

    def for_reply(self) -> Context:
        """Reserves time to report a timeout, and refuses work that cannot finish. Raises TooLate if
        less than MEANINGFUL_WORK seconds are left."""
        if self.remaining() - RETURN_OVERHEAD < MEANINGFUL_WORK:
            raise TooLate("not enough time left to start")
        return self._until(self.deadline - RETURN_OVERHEAD)

    def allow(self, needs: str | None, *, teammates: bool = False) -> None:
        """Raises Unauthenticated or Forbidden unless the caller may make this kind of call. With
        `teammates` the handler shows a developer only members of the caller's own teams."""
        if needs is None or self.caller.kind == "system":
            return
        if self.caller.kind == "anonymous":
            raise Unauthenticated
        if needs in (KNOWN, SIGNED_IN) and self.caller.delegated:
            raise Forbidden("the access token needs the scope account", needs="account")
        if needs == KNOWN:
            return
        if needs == SYSTEM:
            raise Forbidden
        if needs == SIGNED_IN:
            if self.caller.kind not in ("user", "developer"):
                raise Forbidden("only a signed-in user may do this")
        else:
            self._require(needs)
            if self.app_id == DASHBOARD and needs in OF_DEVELOPERS and not teammates:
                self._require(OF_DEVELOPERS[needs])

    def _require(self, permission: str) -> None:
        if not self.caller.may(permission):
            if self.caller.lacks_factor:
                raise SecondFactorNeeded
            raise Forbidden(f"requires {permission}", needs=permission)

    def encode(self) -> str:
        """Returns the header that travels with a call.

        The deadline goes as the seconds that are left, as in gRPC: clocks of machines differ, and one that
        is ten seconds ahead would refuse every call. Version 0.1.0 reads the time of day instead.
        """
        who, left = self.caller, self.remaining()
        wire: dict[str, object] = {
            "a": self.app_id,
            "d": time.time() + left,
            "l": left,
            "t": self.trace,
        }
        if who.kind != "anonymous":
            wire["c"] = wire_of(who)
        if self.origin:
            wire["h"] = self.origin
        if self.ip:
            wire["ip"] = self.ip
        if self.agent:
            wire["ua"] = self.agent
        if self.if_match is not None:
            wire["m"] = self.if_match
        if self.home != MAIN:
            wire["o"] = self.home
        return orjson.dumps(wire).decode()

    @staticmethod
    def decode(text: str | None, *, waited: float = 0.0) -> Context:
        """Reads the header of a call that arrived `waited` seconds ago. Raises BadRequest if it is missing or
        malformed. Its content is trusted because the NATS user and the subject of the sender vouch for
        it."""
        try:
            wire = orjson.loads(text or "")
            app_id, trace, who = wire["a"], wire["t"], wire.get("c")
            # A sender of version 0.1.0 says only until when.
            left = float(wire["l"]) - waited if "l" in wire else float(wire["d"]) - time.time()
            ctx = Context(
                app_id=app_id,
                caller=ANONYMOUS if who is None else from_wire(who),
                deadline=time.monotonic() + left,
                trace=trace,
                origin=wire.get("h", ""),
                ip=wire.get("ip"),
                agent=wire.get("ua"),
                if_match=tuple(wire["m"]) if "m" in wire else None,
                home=wire.get("o", MAIN),
            )
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
            raise BadRequest("the Context header is missing or malformed") from None
        for text in (
            app_id,
            trace,
            ctx.origin,
            ctx.ip or "",
            ctx.agent or "",
            ctx.home,
            *(ctx.if_match or ()),
        ):
            if not isinstance(text, str):
                raise BadRequest("the Context header is malformed")
        if not is_app_id(app_id):
            raise BadRequest("the Context header is malformed")
        return ctx


def new_trace() -> str:
    """Returns a new W3C traceparent (Trace Context level 1, section 3.2) of a trace that is not recorded."""
    noise = os.urandom(24).hex()
    return f"00-{noise[:32]}-{noise[32:]}-00"


@contextmanager
def traced(name: str) -> Iterator[None]:
    """Sets a new trace for one piece of work outside of requests. The log lines, calls and events
    of the work have it. If it is recorded, its first span has the name."""
    recorder = tracing.recorder
    span = None if recorder is None else recorder.job(name)
    token = logs.trace.set(new_trace() if span is None else span.traceparent)
    error = ""
    try:
        yield
    except BaseException as raised:
        error = type(raised).__name__
        raise
    finally:
        logs.trace.reset(token)
        if span is not None:
            span.end(error=error)


def system_context(app_id: str, *, within: float = 5.0, home: str = MAIN) -> Context:
    """Returns the context of work that no request caused: a sweep, a start, the command line. Its
    trace is that of the work it belongs to, if there is one."""
    trace = logs.trace.get() or new_trace()
    return Context(app_id, SYSTEM_CALLER, time.monotonic() + within, trace, home=home)
