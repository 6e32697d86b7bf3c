"""The rows of an application, computed from their number: row 0 is the newest.

A row that exists at one thousand is the same at one million. The application grows into the past, so
the density of events, and the first page of each list, stay the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import md5
from typing import Any, Final
from uuid import UUID

APART: Final = timedelta(seconds=2.6)
"""Between two rows: a million of them are a month."""
LIFE: Final = timedelta(days=400)
LAST_SEQ: Final = 10_000_000
"""The place of row 0 in the audit chain."""
TENTH: Final = 10
"""Organizations, members and invitations: one for ten users."""
GIVEN: Final = [
    "Ada",
    "Ben",
    "Clara",
    "Dev",
    "Ella",
    "Finn",
    "Gita",
    "Hugo",
    "Iris",
    "Jan",
    "Kira",
    "Liam",
    "Mona",
    "Nils",
    "Olga",
    "Paul",
    "Quinn",
    "Rosa",
    "Sven",
    "Tara",
    "Uwe",
    "Vera",
    "Wim",
    "Xenia",
    "Yuri",
    "Zoe",
    "Anna",
    "Anneliese",
    "Annika",
    "Ansgar",
    "Émile",
    "Zoë",
    "Łukasz",
    "Søren",
    "María",
    "Jürgen",
    "Þór",
]
SYLLABLES: Final = [
    "bo",
    "be",
    "do",
    "fa",
    "gi",
    "ho",
    "ka",
    "le",
    "mi",
    "no",
    "pu",
    "ra",
    "se",
    "ti",
    "vo",
    "za",
    "mer",
    "lin",
    "sch",
    "ton",
]
DOMAINS: Final = [f"{name}.example" for name in ("mail", "corp", "shop", "post", "uni")]
EVENTS: Final = ("session_started", "user_updated", "sign_in_failed", "role_assigned")
RARE_EVENT: Final = "mail_sender_deleted"
RARE_ADDRESS: Final = "192.0.2.1"


@dataclass(frozen=True)
class Growth:
    """Rows `first` up to `last`, without it, of an application. `now` is the time of row 0."""

    app_id: UUID
    now: datetime
    first: int
    last: int
    organization: UUID
    """Has every tenth user as a member."""
    client_id: str

    def numbers(self, step: int = 1) -> Iterator[int]:
        """Returns the numbers of the rows, the oldest first, as they would have been written."""
        first = -(-self.first // step) * step
        return reversed(range(first, self.last, step))

    def at(self, number: int) -> datetime:
        return self.now - APART * number

    def id(self, kind: str, number: int) -> UUID:
        """Returns the UUIDv7 of a row (RFC 9562 section 5.7)."""
        digest = md5(f"{self.app_id}{kind}{number}".encode(), usedforsecurity=False).digest()
        milliseconds = int(self.at(number).timestamp() * 1000)
        value = milliseconds << 80 | 7 << 76 | int.from_bytes(digest[:2]) >> 4 << 64
        return UUID(int=value | 2 << 62 | int.from_bytes(digest[2:10]) >> 2)


Row = tuple[Any, ...]


@dataclass(frozen=True)
class Table:
    """A table, its columns after app_id, and how a row is computed."""

    name: str
    columns: str
    row: Callable[[Growth, int], Row]
    step: int = 1


def _hash(kind: str, number: int) -> str:
    return md5(f"{kind}{number}".encode(), usedforsecurity=False).hexdigest() * 2


def names(number: int) -> tuple[str, str]:
    """Returns the given and the family name of a user. Some 8,000 family names are in use."""
    digits = number * 7919 % 8000
    family = "".join(SYLLABLES[digits // place % 20] for place in (1, 20, 400)).capitalize()
    return GIVEN[number * 31 % len(GIVEN)], family


def address(number: int) -> str:
    given, family = names(number)
    return f"{given.lower()}.{family.lower()}{number}@{DOMAINS[number % len(DOMAINS)]}"


def _user(app: Growth, n: int) -> Row:
    (given, family), email, at = names(n), address(n), app.at(n)
    normal, common = n % 200 != 0, n % 150 != 0
    return (app.id("user", n), email, email, common, f"{given} {family}", given, family, not normal,
            at, at, at)  # fmt: skip


def _session(app: Growth, n: int) -> Row:
    user, at = app.id("user", n), app.at(n)
    return (app.id("session", n), user, _hash("session", n), "full", "203.0.113.7", "Firefox",
            ["pwd"], at, at, at, at + LIFE)  # fmt: skip


def _refresh_token(app: Growth, n: int) -> Row:
    at = app.at(n)
    return (_hash("refresh", n), app.id("family", n), app.client_id, app.id("user", n),
            app.id("session", n), ["openid", "offline_access"], at, at + LIFE, at + LIFE)  # fmt: skip


def _record(app: Growth, n: int) -> Row:
    rare = n % 5000 == 4999
    event = RARE_EVENT if rare else EVENTS[n % len(EVENTS)]
    ip = RARE_ADDRESS if rare else f"198.51.{n % 97}.{n % 251}"
    user = app.id("user", n)
    return app.id("record", n), user, "user", str(user), event, '{"reason": "bench"}', ip, app.at(n)


def _link(app: Growth, n: int) -> Row:
    digest = md5(str(n).encode(), usedforsecurity=False).digest()
    return LAST_SEQ - n, app.id("record", n), digest * 2, digest * 2, app.at(n)


def _invitation(app: Growth, n: int) -> Row:
    email = f"guest{n}@mail.example"
    return (
        app.id("invitation", n),
        email,
        email,
        _hash("invitation", n),
        app.at(n),
        app.at(n) + LIFE,
    )


TABLES: Final = (
    Table("users", "id email email_normalized email_verified name given_name family_name disabled"
          " provisioned_at created_at updated_at", _user),
    Table("passwords", "user_id phc created_at", lambda app, n: (
        app.id("user", n), "$argon2id$v=19$m=19456,t=2,p=1$" + _hash("password", n), app.at(n))),
    Table("user_sessions", "id user_id token_hash kind ip_address user_agent amr auth_time created_at"
          " last_active_at expires_at", _session),
    Table("token_families", "id client_id user_id session_id offline created_at absolute_expires_at",
          lambda app, n: (app.id("family", n), app.client_id, app.id("user", n),
                          app.id("session", n), True, app.at(n), app.at(n) + LIFE)),
    Table("refresh_tokens", "token_hash family_id client_id user_id session_id scopes created_at"
          " expires_at absolute_expires_at", _refresh_token),
    Table("session_clients", "session_id client_id issuer sid user_id created_at expires_at",
          lambda app, n: (app.id("session", n), app.client_id, "", _hash("sid", n)[:32],
                          app.id("user", n), app.at(n), app.at(n) + LIFE)),
    Table("consents", "user_id client_id scopes created_at updated_at", lambda app, n: (
        app.id("user", n), app.client_id, ["openid"], app.at(n), app.at(n))),
    Table("user_roles", "user_id role_id granted_by granted_at", lambda app, n: (
        app.id("user", n), "user", "system", app.at(n))),
    Table("audit_logs", "id user_id actor_kind actor_id event_type event_data ip_address created_at",
          _record),
    Table("audit_chain", "seq event_id previous_hash hash created_at", _link),
    Table("organizations", "id slug name created_at", lambda app, n: (
        app.id("organization", n), f"team-{n}", f"{names(n)[1]} Works {n}", app.at(n)), TENTH),
    Table("organization_members", "org_id user_id role_id created_at", lambda app, n: (
        app.organization, app.id("user", n), "member", app.at(n)), TENTH),
    Table("user_invitations", "id email email_normalized token_hash created_at expires_at",
          _invitation, TENTH),
    Table("organization_invitations", "org_id id email email_normalized token_hash created_at"
          " expires_at", lambda app, n: (app.organization, *_invitation(app, n)), TENTH),
)  # fmt: skip
"""What grows, in the order in which it is written."""
