"""How often strangers may ask, counted in the memory of this process: a guard against floods.

Each of several gateways lets through its share (gateway/replicas.py), so that no request waits for a
count in another place.

Every network is counted by itself in every application. Who shows nothing is counted as he comes,
who shows what does not hold once that is known, and who shows what holds not at all. What has held
here before is let in whatever its network does: a flood from behind the same address does not shut
out the backend that lives there.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from common import logs, metrics
from common.networks import network
from common.problems import RateLimited

if TYPE_CHECKING:
    from gateway.answers import Headers
    from gateway.visit import GatewayRequest


log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Limit:
    """`burst` at once, and `rate` a second from then on."""

    name: str
    burst: int
    rate: float


ANONYMOUS_READ: Final = Limit(
    "anonymous_read", 2000, 50
)  # pages and answers for whoever shows no credential
ANONYMOUS_WRITE: Final = Limit(
    "anonymous_write", 1000, 10
)  # the same where something is sent: forms, sign-in
INVALID_SESSION: Final = Limit(
    "invalid_session", 2000, 50
)  # session cookies that do not hold: most have expired
PENDING_AUTHORIZATION: Final = Limit(
    "pending_authorization", 300, 5
)  # authorization requests that wait: a row each, half an hour
INVALID_CREDENTIAL: Final = Limit(
    "invalid_credential", 300, 10
)  # tokens, keys, codes, hosts that do not hold
CLIENT_SECRET_FAILURE: Final = Limit(
    "client_secret_failure", 20, 1
)  # wrong secrets of one client: a PBKDF2 each
ERROR_PAGE: Final = Limit("error_page", 60, 1)  # refusals as a page in its colours, then bare ones
ALL: Final = (
    ANONYMOUS_READ,
    ANONYMOUS_WRITE,
    INVALID_SESSION,
    PENDING_AUTHORIZATION,
    INVALID_CREDENTIAL,
    CLIENT_SECRET_FAILURE,
    ERROR_PAGE,
)

UNKNOWN: Final = "-"
"""Stands for the application in keys of what is looked up to find out the application."""
LONGEST: Final = 60.0
"""Seconds: whatever was owed, nobody waits longer for the next one."""
NETWORKS: Final = 32_768
CREDENTIALS: Final = 65_536

FROM_MEMORY: Final = frozenset(
    {
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource",
        "/oauth2/jwks.json",
    }
)
POLLED: Final = ("GET", "/api/auth/session")
"""Asked over and over by open pages; nobody is told so from memory."""
FILES: Final = ("/static/", "/brand/", "/oauth2/jwks/")
BY_FORM: Final = frozenset(
    {"/oauth2/token", "/oauth2/introspect", "/oauth2/revoke", "/oauth2/userinfo"}
)
"""The credential may stand in the form: counted when that has been read."""
BEARER: Final = (b"bearer ", b"dpop ")
PUBLISHABLE: Final = b"pk_live_"  # says for which application, not who
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

Key = tuple[str, str, str | int]
"""(app_id, limit, whom)"""
Counted = tuple[Limit, Key]
Shown = str | tuple[str | None, ...]
"""A credential, or all that a client shows."""


def costly(path: str) -> bool:
    """False for what costs no more than its refusal would."""
    return path not in FROM_MEMORY and not path.startswith(FILES)


@dataclass
class Buckets:
    """Token buckets, each kept as the moment it will be full again (GCRA): what is not here is
    full. Beyond `size`, the one that was asked for least recently is forgotten."""

    scale: float = 1.0
    share: float = 1.0
    """This gateway's part of each limit: clients come to all gateways alike."""
    size: int = NETWORKS
    clock: Callable[[], float] = time.monotonic
    _full: OrderedDict[Key, float] = field(default_factory=OrderedDict)

    def take(self, limit: Limit, key: Key) -> float:
        """0 where one was taken, else the seconds until there is one."""
        now, step, depth = self._measures(limit)
        at = max(self._full.get(key, now), now) + step
        wait = at - depth - now
        if wait > 1e-9:
            self._full.move_to_end(key)
            return wait
        self._put(key, at)
        return 0.0

    def wait(self, limit: Limit, key: Key) -> float:
        """As `take`, but nothing is taken."""
        now, step, depth = self._measures(limit)
        wait = self._full.get(key, now) + step - depth - now
        return wait if wait > 1e-9 else 0.0

    def give(self, limit: Limit, key: Key) -> None:
        """Back what was taken."""
        self._owe(limit, key, -1)

    def owe(self, limit: Limit, key: Key) -> None:
        """Take one even where there is none: the next one takes longer."""
        self._owe(limit, key, 1)

    def left(self, limit: Limit, key: Key) -> tuple[int, int, float]:
        """How many it holds, how many are in it now, and the seconds until it is full."""
        now, step, depth = self._measures(limit)
        fills = max(self._full.get(key, now) - now, 0.0)
        return round(depth / step), max(0, math.floor((depth - fills) / step + 1e-6)), fills

    def __len__(self) -> int:
        return len(self._full)

    def _measures(self, limit: Limit) -> tuple[float, float, float]:
        """Now, the seconds that one takes to come back, and those that all take."""
        scale = self.scale * self.share
        step = 1 / (limit.rate * scale)
        return self.clock(), step, max(1.0, limit.burst * scale) * step

    def _owe(self, limit: Limit, key: Key, count: int) -> None:
        now, step, depth = self._measures(limit)
        at = max(self._full.get(key, now), now) + count * step
        if at <= now:
            self._full.pop(key, None)
        else:
            self._put(key, min(at, now + depth + LONGEST - step))

    def _put(self, key: Key, at: float) -> None:
        self._full[key] = at
        self._full.move_to_end(key)
        if len(self._full) > self.size:
            self._full.popitem(last=False)


@dataclass
class Known:
    """What has held here, as hashes that no other process could make; first in, first out."""

    size: int = CREDENTIALS
    _held: OrderedDict[int, None] = field(default_factory=OrderedDict)

    def add(self, what: int) -> None:
        if what not in self._held:
            self._held[what] = None
            if len(self._held) > self.size:
                self._held.popitem(last=False)

    def forget(self, what: int) -> bool:
        """False where it was not known."""
        if what not in self._held:
            return False
        del self._held[what]
        return True

    def __contains__(self, what: int | None) -> bool:
        return what in self._held

    def __len__(self) -> int:
        return len(self._held)


@dataclass(slots=True)
class Claim:
    """A credential that is not known yet: what to remember if it holds, its hash and its client's,
    and where it counts if it does not."""

    shown: int | None
    counted: list[Counted]
    client: int | None = None


@dataclass
class Limits:
    """`scale` multiplies them all; 0 turns them off."""

    scale: float = 1.0
    buckets: Buckets = field(init=False)
    known: Known = field(default_factory=Known)
    warned: bool = False

    def __post_init__(self) -> None:
        self.buckets = Buckets(self.scale)

    def divide(self, gateways: int) -> None:
        """So many gateways are alive: together they let through what one alone would."""
        self.buckets.share = 1 / gateways

    def admit(self, visit: GatewayRequest) -> None:
        """By what the headers show. Raises RateLimited."""
        if not self.scale or (visit.path in BY_FORM and visit.method == "POST"):
            return
        header = visit.headers.get(b"authorization", b"")
        shown = header.partition(b" ")[2].strip()
        if header[:7].lower().startswith(BEARER) and not shown.startswith(PUBLISHABLE):
            self.claim(visit, shown)
        elif b"cookie" in visit.headers and (token := self._cookie(visit)):
            self.claim(visit, token.encode("latin-1", "replace"), INVALID_SESSION)
        elif (visit.method, visit.path) != POLLED:
            self.spend(
                visit,
                ANONYMOUS_READ if visit.method in SAFE else ANONYMOUS_WRITE,
                network(visit.ip),
            )

    def claim(self, visit: GatewayRequest, shown: bytes, limit: Limit = INVALID_CREDENTIAL) -> None:
        """Somebody shows a credential. Raises RateLimited where it is not known and its network
        has shown too many that did not hold."""
        app_id = visit.app.app_id
        credential = hash((app_id, shown))
        if self.scale and credential not in self.known:
            counted = limit, (app_id, limit.name, network(visit.ip))
            self._claim(visit, Claim(credential, [counted]))

    def claim_client(
        self, visit: GatewayRequest, secret: Shown | None, client_id: Callable[[], str | None]
    ) -> None:
        """The same for an OAuth client, with a secret that costs a PBKDF2 or, where that is None,
        with what comes once only: an assertion, a code. A client that is one of ours is counted by
        itself: what others make up does not count against it."""
        app_id = visit.app.app_id
        credential = None if secret is None else _mark(visit, secret)
        if not self.scale or credential in self.known:
            return
        name, where = client_id(), network(visit.ip)
        client, pair = hash((app_id, "client", name)), hash((where, name))
        whom: str | int = pair if client in self.known else where
        counted: list[Counted] = [(INVALID_CREDENTIAL, (app_id, INVALID_CREDENTIAL.name, whom))]
        if secret is not None:
            counted.append((CLIENT_SECRET_FAILURE, (app_id, CLIENT_SECRET_FAILURE.name, pair)))
        self._claim(visit, Claim(credential, counted, client))

    def holds(self, visit: GatewayRequest, credential: Shown | None = None) -> None:
        """What was shown is true: it counts for nothing, now and later. Whoever came with two
        credentials tells which one."""
        claim = visit.claim
        if claim is None:
            return
        visit.claim = visit.quota = None
        if claim.shown is not None and (
            credential is None or claim.shown == _mark(visit, credential)
        ):
            self.known.add(claim.shown)
        if claim.client is not None:
            self.known.add(claim.client)

    def fails(self, visit: GatewayRequest, credential: Shown) -> None:
        """What was shown is not true, or not any more."""
        self.known.forget(_mark(visit, credential))

    def spend(self, visit: GatewayRequest, limit: Limit, whom: str) -> None:
        """Raises RateLimited where there is none left."""
        if self.scale:
            key = visit.tenant.app_id if visit.tenant else UNKNOWN, limit.name, whom
            visit.quota = limit, key
            if wait := self.buckets.take(limit, key):
                self._refuse(visit, limit, wait)

    def give(self, visit: GatewayRequest, limit: Limit, whom: str) -> None:
        """Back what was spent for nothing."""
        if self.scale:
            self.buckets.give(limit, (visit.app.app_id, limit.name, whom))

    def look_up(self, visit: GatewayRequest, what: str) -> None:
        """It is about to be asked which application this host or key names. Raises RateLimited
        where that is not known and this network has asked for too many that there are not."""
        if self.scale and hash((UNKNOWN, what)) not in self.known:
            limit, key = _strange(visit)
            if wait := self.buckets.wait(limit, key):
                visit.quota = limit, key
                self._refuse(visit, limit, wait)

    def looked_up(self, visit: GatewayRequest, what: str, *, there: bool) -> None:
        """Whether it names one."""
        if not self.scale:
            return
        if there:
            self.known.add(hash((UNKNOWN, what)))
        elif not self.known.forget(hash((UNKNOWN, what))):
            self.buckets.owe(*_strange(visit))

    def settle(self, visit: GatewayRequest, status: int) -> None:
        """The answer is about to go out: what was shown and not found to hold is counted, unless
        nobody could say."""
        claim, visit.claim = visit.claim, None
        if claim is not None and status < 500:
            for limit, key in claim.counted:
                self.buckets.owe(limit, key)

    def headers(self, visit: GatewayRequest, status: int) -> Headers:
        """What is left to whom a limit applies: on the API, and wherever it is exceeded."""
        if visit.quota is None or not (status == 429 or visit.path.startswith("/api/")):
            return []
        most, left, fills = self.buckets.left(*visit.quota)
        return [
            (b"x-ratelimit-limit", b"%d" % most),
            (b"x-ratelimit-remaining", b"%d" % left),
            (b"x-ratelimit-reset", b"%d" % math.ceil(time.time() + fills)),
        ]

    def _claim(self, visit: GatewayRequest, claim: Claim) -> None:
        for limit, key in claim.counted:
            if wait := self.buckets.wait(limit, key):
                visit.quota = limit, key
                self._refuse(visit, limit, wait)
        visit.claim, visit.quota = claim, claim.counted[0]

    def _refuse(self, visit: GatewayRequest, limit: Limit, wait: float) -> None:
        visit.facts["limited"] = limit.name
        if (
            not self.warned
            and b"x-forwarded-for" in visit.headers
            and not visit.gateway.settings.trusted_proxies
        ):
            self.warned = True
            log.warning("limited behind a proxy that is not trusted: is AERO2_TRUSTED_PROXIES set?")
        app_id = visit.tenant.app_id if visit.tenant else UNKNOWN
        if self.buckets.take(ERROR_PAGE, (app_id, ERROR_PAGE.name, network(visit.ip))):
            visit.facts["flood"] = True
        metrics.LIMITED.labels(limit.name).inc()
        raise RateLimited("too many requests from your network", retry_after=math.ceil(wait))

    def _cookie(self, visit: GatewayRequest) -> str | None:
        """None, too, where it was found a moment ago to hold no more: then it says nothing."""
        token = visit.cookies.get(visit.gateway.settings.session_cookie)
        return None if token and visit.gateway.ended.get(visit.ended(token)) else token


def _mark(visit: GatewayRequest, credential: Shown) -> int:
    as_sent = credential.encode("latin-1", "replace") if isinstance(credential, str) else credential
    return hash((visit.app.app_id, as_sent))


def _strange(visit: GatewayRequest) -> Counted:
    return INVALID_CREDENTIAL, (UNKNOWN, INVALID_CREDENTIAL.name, network(visit.ip))
