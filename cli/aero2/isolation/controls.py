"""Shows that the owner of a thing can do what others were refused: the attempts were well-formed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

from aero2.isolation.canary import Canary
from aero2.isolation.operations import Operation
from aero2.isolation.recipes import recipe_of
from aero2.isolation.report import WORKS, Crossing, Tried
from aero2.isolation.requests import UnknownValue, knows, request_of
from aero2.isolation.uncovered import reason_of
from aero2.isolation.wire import NONE, Answer, Credential, Parts, Wire

VOLATILE: Final = frozenset({"last_active_at", "last_seen_at", "idle_expires_at", "last_used_at"})
"""Fields that change by themselves."""
MOVING: Final = ("/audit", "/export", "/auth/protection", "/sessions")
"""Parts of paths whose answers change by themselves."""
REDIRECTS: Final = ("/oauth2/authorize", "/oauth2/logout")


class Controls:
    """The requests of B for B's own things."""

    def __init__(self, wire: Wire, b: Canary, dashboard: str) -> None:
        self.wire, self.b, self.dashboard = wire, b, dashboard

    def read(self, operations: list[Operation]) -> dict[str, str]:
        """Returns what B reads by each operation that changes nothing."""
        return {
            each.name: _stable(self._send(each)) for each in operations if self._is_stable(each)
        }

    def _is_stable(self, operation: Operation) -> bool:
        is_own = reason_of(operation) is None and recipe_of(operation.recipe).by != "half"
        can = not operation.in_dashboard or bool(self.b.developer.cookie)
        moves = any(part in operation.path for part in MOVING)
        return operation.safe and is_own and can and not moves and knows(operation)

    def run(self, operations: list[Operation], tried: dict[str, Tried]) -> None:
        """Does each operation once. Those that end or delete something come last, the deepest first."""
        for each in sorted(operations, key=rank):
            outcome = tried[each.name]
            if (reason := reason_of(each)) is not None:
                outcome.covered, outcome.control = False, reason
                continue
            if each.in_dashboard and not self.b.developer.cookie:
                outcome.covered = False
                outcome.control = "the Dashboard asks its developers for more than a password"
                continue
            try:
                answer = self._send(each)
            except UnknownValue as error:
                outcome.control = str(error)
                continue
            is_redirect = each.path in REDIRECTS and 300 <= answer.status < 400
            if answer.ok or is_redirect:
                outcome.control = WORKS
                self._keep(each, answer)
            else:
                outcome.control = f"{answer.status} {answer.code}: {answer.text[:200]}"

    def _credential(self, operation: Operation) -> Credential:
        if operation.in_dashboard:
            return self.b.developer
        by = recipe_of(operation.recipe).by
        if by == "half":
            return self._half_signed_in()
        own = {
            "key": self.b.key,
            "publishable": self.b.publishable,
            "user": self.b.user,
            "client": self.b.client,
            "token": self.b.token,
        }
        return own.get(by, NONE)

    def _things(self, operation: Operation) -> dict[str, str]:
        return self.b.dashboard_things if operation.in_dashboard else self.b.things

    def _half_signed_in(self) -> Credential:
        """Returns a new sign-in that waits for its second factor."""
        fields = {"email": self.b.things["own_email"], "password": self.b.things["password"]}
        answer = self.wire.send(self.b.origin, Parts("POST", "/api/auth/signin", json=fields))
        return Credential(f"half session of {self.b.name}", cookie=answer.cookie("aero2_half"))

    def _send(self, operation: Operation) -> Answer:
        request, _ = request_of(operation, self._things(operation))
        origin = self.dashboard if operation.in_dashboard else self.b.origin
        return self.wire.send(origin, request, self._credential(operation))

    def _keep(self, operation: Operation, answer: Answer) -> None:
        """Remembers what later requests need: a new session, a rotated token, the secret of an authenticator
        app."""
        recipe = recipe_of(operation.recipe)
        things = self._things(operation)
        for thing, name in recipe.keep.items():
            name, _, place = name.partition("/")
            value = answer.json()[name]
            things[thing] = value[int(place)] if place else value
        if operation.path.endswith("/impersonate"):
            return  # the session is that of somebody else
        if operation.path.endswith("/revoke-all"):
            self.b.user = self.b.sign_in(self.wire, things["own_email"], things["password"])
        if recipe.by == "user" and (cookie := answer.cookie("aero2_session")):
            self.b.user = replace(self.b.user, cookie=cookie)


def changes(before: dict[str, str], after: dict[str, str], b: Canary) -> list[Crossing]:
    """Returns what B reads otherwise than before."""
    return [
        Crossing(name, "one of A", b.slug, "reads otherwise after the attempts than before")
        for name, text in before.items()
        if after.get(name) != text
    ]


def rank(operation: Operation) -> tuple[int, int, int]:
    """Sorts reads to the beginning, and what deletes an application to the very end."""
    place = recipe_of(operation.recipe).rank
    deletes = operation.method == "DELETE"
    kind = 3 if place >= 4 else 0 if operation.safe else 2 if deletes else 1
    return kind, place, -operation.path.count("/") if deletes else 0


def _stable(answer: Answer) -> str:
    try:
        body = json.loads(answer.text)
    except ValueError:
        return f"{answer.status} {answer.text}"
    return f"{answer.status} {json.dumps(_without_volatile(body), sort_keys=True)}"


def _without_volatile(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _without_volatile(each) for name, each in value.items() if name not in VOLATILE
        }
    return [_without_volatile(each) for each in value] if isinstance(value, list) else value
