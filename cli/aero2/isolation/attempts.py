"""Tries an operation with credentials of A for things of B."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from aero2.failures import CommandError
from aero2.isolation.canary import Canary
from aero2.isolation.operations import Operation
from aero2.isolation.recipes import recipe_of
from aero2.isolation.report import Crossing, Tried
from aero2.isolation.requests import knows, request_of
from aero2.isolation.things import PUBLIC, ghosts
from aero2.isolation.wire import NONE, Answer, Credential, Parts, Wire

AUTHORIZE: Final = "/oauth2/authorize"
BY_ITSELF: Final = ("mail_sender.",)
"""How types of audit events begin that the platform records without a request."""


class OwnerRefused(Exception):
    """B cannot be asked any more, so nothing else can be tried."""


@dataclass
class Across:
    """A and B, and what was found. `dashboard` is the origin of the Dashboard."""

    wire: Wire
    a: Canary
    b: Canary
    dashboard: str
    crossings: list[Crossing] = field(default_factory=list)
    _newest: str = ""

    def __post_init__(self) -> None:
        self._ghosts = ghosts(self.b.things), ghosts(self.b.dashboard_things)
        self._secrets = _secrets(self.b)
        self._newest = self._newest_record()

    def attempt(self, operation: Operation, tried: Tried) -> None:
        """Tries an operation in every way. Looks into the audit log of B after a change."""
        if not knows(operation):
            return
        before = len(self.crossings)
        if operation.in_dashboard:
            self._in_dashboard(operation, tried)
        else:
            self._at_home(operation, tried)
            self._away(operation, tried)
        if not operation.safe or len(self.crossings) > before:
            self._look_into_audit_log(operation)

    def _at_home(self, operation: Operation, tried: Tried) -> None:
        """At A's host, and at the host of all applications by A's key. What names nothing of B is only sent if
        it changes nothing: it would do what it should, to A."""
        request, named = request_of(operation, self.b.things)
        if not named and not operation.safe:
            return
        ghost = request_of(operation, self._ghosts[0])[0] if named else None
        for credential in self._credentials(operation):
            self._compare(operation, tried, self.a.origin, credential, (request, ghost))
        if not operation.path.startswith("/api/auth/") and operation.path.startswith("/api/"):
            self._compare(operation, tried, self.a.shared_origin, self.a.key, (request, ghost))

    def _away(self, operation: Operation, tried: Tried) -> None:
        """At B's host, where no credential of A may do anything. What anybody may do there is left out."""
        by = recipe_of(operation.recipe).by
        is_theirs = by in ("client", "token", "publishable") or operation.path == AUTHORIZE
        if operation.public and not is_theirs:
            return
        request, _ = request_of(operation, self.b.things)
        for credential in self._credentials(operation):
            answer = self._send(operation, tried, self.b.origin, credential, request)
            if _succeeded(answer):
                self._found(operation, credential, self.b.origin, f"is answered: {answer.status}")

    def _in_dashboard(self, operation: Operation, tried: Tried) -> None:
        request, named = request_of(operation, self.b.dashboard_things)
        ghost = request_of(operation, self._ghosts[1])[0] if named else None
        of_operators = recipe_of(operation.recipe).by == "operator"
        for credential in (self.a.developer, self.a.key, self.a.user, self.a.token, NONE):
            if credential is NONE or credential.name != NONE.name:
                answer = self._compare(
                    operation, tried, self.dashboard, credential, (request, ghost)
                )
                if of_operators and answer.ok:
                    what = f"is answered for somebody who is no operator: {answer.status}"
                    self._found(operation, credential, self.dashboard, what)

    def _credentials(self, operation: Operation) -> Iterator[Credential]:
        if recipe_of(operation.recipe).by == "client":
            yield self.a.client
            yield NONE
            return
        yield self.a.key
        yield self.a.user
        yield self.a.token
        yield self.a.publishable
        yield NONE

    def _compare(
        self,
        operation: Operation,
        tried: Tried,
        origin: str,
        credential: Credential,
        requests: tuple[Parts, Parts | None],
    ) -> Answer:
        """Sends a request that names things of B, and one that names nothing: nobody of A may see a
        difference."""
        request, ghost = requests
        answer = self._send(operation, tried, origin, credential, request)
        if ghost is not None:
            nothing = self.wire.send(origin, ghost, credential)
            if _outline(answer) != _outline(nothing):
                what = (
                    f"is answered {answer.status} {answer.code}, and {nothing.status} {nothing.code} "
                    "for what does not exist"
                )
                self._found(operation, credential, origin, what)
        return answer

    def _send(
        self, operation: Operation, tried: Tried, origin: str, credential: Credential, parts: Parts
    ) -> Answer:
        answer = self.wire.send(origin, parts, credential)
        tried.refused(answer)
        sent, told = parts.text(), answer.told
        if leaked := sorted(
            name for name, value in self._secrets.items() if value in told and value not in sent
        ):
            what = f"answers {answer.status} with {', '.join(leaked)} of B"
            self._found(operation, credential, origin, what)
        return answer

    def _found(self, operation: Operation, credential: Credential, origin: str, what: str) -> None:
        host = origin.partition("//")[2]
        self.crossings.append(Crossing(operation.name, credential.name, host, what))

    def _look_into_audit_log(self, operation: Operation) -> None:
        try:
            newest = self._newest_record()
        except OwnerRefused as error:
            what = f"makes that B itself is refused: {error}"
            self.crossings.append(Crossing(operation.name, "one of A", self.b.slug, what))
            raise
        if newest != self._newest:
            self._newest = newest
            what = "leaves a record in the audit log of B"
            self.crossings.append(Crossing(operation.name, "one of A", self.b.slug, what))

    def _newest_record(self) -> str:
        """Raises OwnerRefused if B cannot read its own audit log any more."""
        try:
            found = self.b.own(self.wire, "GET", "/api/audit", query={"limit": "20"})
        except CommandError as error:
            raise OwnerRefused(str(error)) from None
        return next(
            (
                each["id"]
                for each in found["audit_logs"]
                if not each["event_type"].startswith(BY_ITSELF)
            ),
            "",
        )


def _secrets(b: Canary) -> dict[str, str]:
    """Returns what nobody of A may read: the word in all texts of B, its things, and its credentials."""
    things = {
        f"{name}{mark}": value
        for values, mark in ((b.things, ""), (b.dashboard_things, " (second)"))
        for name, value in values.items()
        if name not in PUBLIC and len(value) > 12
    }
    mine = {"word": b.word, "key": b.key.bearer, "session": b.user.cookie}
    return things | mine


def _succeeded(answer: Answer) -> bool:
    """Tells whether the caller got what they asked for: also a code by a redirect."""
    return answer.ok or (300 <= answer.status < 400 and "code=" in answer.header("location"))


def _outline(answer: Answer) -> tuple[object, ...]:
    """Returns what must be the same for things of others and for things that do not exist."""
    try:
        body = json.loads(answer.text)
    except ValueError:
        body = None
    fields = tuple(sorted(body)) if isinstance(body, dict) and answer.ok else ()
    return answer.status, answer.code, fields
