"""The two applications that `aero2 doctor isolation` makes, and their developers in the Dashboard."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from aero2.failures import CommandError
from aero2.isolation.things import MAIL_DOMAIN, word
from aero2.isolation.wire import NONE, Answer, Credential, Parts, Wire

NAME: Final = "Isolation canary"
SLUG: Final = re.compile(r"isolation-canary-[0-9a-f]{8}-[ab]")
DEVELOPERS: Final = f"@developers.{MAIL_DOMAIN}"
SEARCH: Final = "isolation-canary-"
"""How the addresses of these developers begin."""
PATIENCE: Final = 30.0
"""Seconds until a new application is complete, or a deleted one is gone."""


@dataclass(frozen=True)
class Dashboard:
    """The Dashboard, with its secret key."""

    wire: Wire
    origin: str
    key: Credential

    def call(self, method: str, path: str, **more: Any) -> Any:
        """Returns the body of the answer. Raises CommandError if the request is refused."""
        return call(self.wire, self.origin, Parts(method, path, **more), self.key)

    def pages(self, noun: str, query: dict[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """Returns everything that a list has."""
        cursor: dict[str, str] = {}
        while True:
            page = self.call(
                "GET", f"/api/{noun}", query={"limit": "100", **(query or {}), **cursor}
            )
            yield from page[noun]
            if not page.get("next"):
                return
            cursor = {"cursor": page["next"]}


@dataclass
class Canary:
    """An application, what is in it, and the credentials of its own. `name` is `A` or `B`."""

    name: str
    app_id: str
    slug: str
    origin: str
    home: str
    key: Credential
    publishable: Credential
    developer: Credential
    """A session of its developer in the Dashboard. Empty if the Dashboard asks for more than a password."""
    word: str = field(default_factory=word)
    """It is in the texts of everything that is made here."""
    user: Credential = NONE
    token: Credential = NONE
    client: Credential = NONE
    things: dict[str, str] = field(default_factory=dict)
    """For requests at the application's own host."""
    dashboard_things: dict[str, str] = field(default_factory=dict)
    """For requests in the Dashboard: other ones, since a request may delete what it names."""

    @property
    def shared_origin(self) -> str:
        """The host that has the API of all applications: the key says which one."""
        parts = urlsplit(self.origin)
        return f"{parts.scheme}://api.{parts.netloc.partition('.')[2]}"

    def own(
        self, wire: Wire, method: str, path: str, by: Credential | None = None, **more: Any
    ) -> Any:
        """Asks the application as its owner. Raises CommandError if that is refused."""
        return call(wire, self.origin, Parts(method, path, **more), by or self.key)

    def sign_in(self, wire: Wire, email: str, password: str) -> Credential:
        """Returns a new session of a user. Raises CommandError."""
        return replace(
            _signed_in(wire, self.origin, email, password), name=f"session of {self.name}"
        )


def call(wire: Wire, origin: str, parts: Parts, by: Credential) -> Any:
    """Returns the body of an answer. Raises CommandError if the request is refused."""
    answer = wire.send(origin, parts, by)
    if not answer.ok:
        raise CommandError(refusal(parts, answer))
    return answer.json() if answer.text else None


def refusal(parts: Parts, answer: Answer) -> str:
    """Returns a sentence about a request that should have been answered."""
    return (
        f"{parts.method} {parts.path} answered {answer.status} {answer.code}: {answer.text[:300]}"
    )


def make_canary(dashboard: Dashboard, name: str, run: str, home: str | None) -> Canary:
    """Creates an application with a developer and two teams of theirs. Waits until it is complete. Raises
    CommandError."""
    email, password = f"{SEARCH}{run}-{name.lower()}{DEVELOPERS}", secrets.token_urlsafe(24)
    user = dashboard.call(
        "POST", "/api/users", json={"email": email, "email_verified": True, "password": password}
    )
    team = {"name": NAME, "admin_user_id": user["id"]}
    teams = [dashboard.call("POST", "/api/organizations", json=team) for _ in range(2)]
    fields = {
        "name": NAME,
        "slug": f"isolation-canary-{run}-{name.lower()}",
        "owner_org_id": teams[0]["id"],
    }
    application = dashboard.call(
        "POST", "/api/applications", json=fields | ({"home": home} if home else {})
    )
    keys = {each["key_type"]: each for each in application["api_keys"]}
    canary = Canary(
        name=name,
        app_id=application["id"],
        slug=application["slug"],
        origin=application["url"],
        home=application["home"],
        key=Credential(f"secret key of {name}", bearer=keys["secret"]["key"]),
        publishable=Credential(f"publishable key of {name}", bearer=keys["publishable"]["key"]),
        developer=_developer(dashboard, name, email, password),
    )
    shared = {
        "app_id": application["id"],
        "slug": application["slug"],
        "developer_id": user["id"],
        "team_id": teams[0]["id"],
        "second_team_id": teams[1]["id"],
        "api_key_id": keys["publishable"]["id"],
    }
    canary.things, canary.dashboard_things = dict(shared), dict(shared)
    _wait_until_complete(dashboard.wire, canary)
    return canary


def _developer(dashboard: Dashboard, name: str, email: str, password: str) -> Credential:
    try:
        session = _signed_in(dashboard.wire, dashboard.origin, email, password)
    except CommandError:
        return NONE
    return replace(session, name=f"developer of {name}")


def _signed_in(wire: Wire, origin: str, email: str, password: str) -> Credential:
    parts = Parts("POST", "/api/auth/signin", json={"email": email, "password": password})
    answer = wire.send(origin, parts)
    cookie = answer.cookie("aero2_session")
    if not answer.ok or not cookie:
        raise CommandError(refusal(parts, answer))
    return Credential(cookie=cookie)


def _wait_until_complete(wire: Wire, canary: Canary) -> None:
    ends = time.monotonic() + PATIENCE
    while not (answer := wire.send(canary.origin, Parts("GET", "/api/settings"), canary.key)).ok:
        if time.monotonic() > ends:
            raise CommandError(
                f"The canary {canary.slug} is not complete: {answer.status} {answer.text[:200]}"
            )
        time.sleep(0.2)


def remove_canaries(dashboard: Dashboard) -> list[str]:
    """Removes the canaries of this run and of runs that did not come to their end, with their developers and
    teams. Returns sentences about what could not be removed. Raises CommandError if they cannot be listed."""
    developers = _developers(dashboard)
    teams = {team for id in developers for team in _teams(dashboard, id)}
    applications = [
        each["slug"]
        for each in dashboard.pages("applications")
        if each["state"] != "deleting" and _is_canary(each, teams)
    ]
    steps: list[Callable[[], None]] = [
        *(partial(_delete_application, dashboard, slug) for slug in applications),
        *(partial(_delete_team, dashboard, team) for team in sorted(teams)),
        *(partial(_delete_developer, dashboard, id) for id in developers),
    ]
    problems = []
    for step in steps:
        try:
            step()
        except CommandError as error:
            problems.append(str(error))
    return problems


def _delete_application(dashboard: Dashboard, slug: str) -> None:
    dashboard.call("DELETE", f"/api/applications/{slug}", query={"confirm": slug})


def _delete_developer(dashboard: Dashboard, user_id: str) -> None:
    dashboard.call("DELETE", f"/api/users/{user_id}")


def _delete_team(dashboard: Dashboard, team: str) -> None:
    """Waits until the applications of the team are gone, which takes a while after their deletion."""
    parts, ends = Parts("DELETE", f"/api/organizations/{team}"), time.monotonic() + PATIENCE
    while not (answer := dashboard.wire.send(dashboard.origin, parts, dashboard.key)).ok:
        if answer.code != "team_owns_applications" or time.monotonic() > ends:
            raise CommandError(refusal(parts, answer))
        time.sleep(0.5)


def _is_canary(application: dict[str, Any], owned: set[str]) -> bool:
    """Only operators choose slugs. Others are canaries only in a team of a canary's developer."""
    is_named = application["name"] == NAME and SLUG.fullmatch(application["slug"])
    return bool(is_named) or application["owner_org_id"] in owned


def _developers(dashboard: Dashboard) -> list[str]:
    users = dashboard.pages("users", {"search": SEARCH})
    return [each["id"] for each in users if (each.get("email") or "").endswith(DEVELOPERS)]


def _teams(dashboard: Dashboard, user_id: str) -> list[str]:
    """Returns the teams that this command has made for a developer. The personal one goes with them."""
    page = dashboard.call("GET", f"/api/users/{user_id}/organizations", query={"limit": "100"})
    return [each["id"] for each in page["organizations"] if each["name"] == NAME]
