"""Flood limits: how often strangers may ask, counted in the memory of this process.

Each network has buckets of its own in each application. Anonymous requests are charged on arrival.
Invalid credentials are charged when they are rejected. Valid credentials are never charged. A
credential that was valid here before is admitted whatever its network does: a flood from the same
address does not shut out the backend that lives there.

Each of several gateways admits its share (gateway/admission/replicas.py), so no request waits for a counter
elsewhere.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from common import logs, metrics
from common.ip_addresses import client_network
from common.problems import RateLimited
from gateway.admission.token_bucket import BucketKey, Limit, TokenBuckets

if TYPE_CHECKING:
    from gateway.http.request import GatewayRequest
    from gateway.http.response import Headers

log = logs.get(__name__)

# Pages and API calls without a credential, and the same where something is sent.
ANONYMOUS_READ: Final = Limit("anonymous_read", 2000, 50)
ANONYMOUS_WRITE: Final = Limit("anonymous_write", 1000, 10)
# Cookies of sessions that have ended; most have expired.
INVALID_SESSION: Final = Limit("invalid_session", 2000, 50)
# Authorization requests that wait for the user: each is a row for half an hour.
PENDING_AUTHORIZATION: Final = Limit("pending_authorization", 300, 5)
# Tokens, keys, codes and hosts that are not valid.
INVALID_CREDENTIAL: Final = Limit("invalid_credential", 300, 10)
# Wrong secrets of one client: each costs a PBKDF2.
CLIENT_SECRET_FAILURE: Final = Limit("client_secret_failure", 20, 1)
# Refusals as a page in the application's colours; further ones are plain.
ERROR_PAGE: Final = Limit("error_page", 60, 1)
ALL: Final = (
    ANONYMOUS_READ,
    ANONYMOUS_WRITE,
    INVALID_SESSION,
    PENDING_AUTHORIZATION,
    INVALID_CREDENTIAL,
    CLIENT_SECRET_FAILURE,
    ERROR_PAGE,
)

NO_TENANT: Final = "-"
"""Stands for the application in bucket keys of requests whose application is not known yet."""
MOST_CREDENTIALS: Final = 65_536

FROM_MEMORY: Final = frozenset(
    {
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource",
        "/oauth2/jwks.json",
    }
)
POLLED: Final = ("GET", "/api/auth/session")
"""Open pages ask this again and again. Without a cookie it is answered from memory."""
FILES: Final = ("/static/", "/brand/", "/oauth2/jwks/")
BY_FORM: Final = frozenset(
    {"/oauth2/token", "/oauth2/introspect", "/oauth2/revoke", "/oauth2/userinfo"}
)
"""The credential may be in the form, so it is counted once the form has been read."""
BEARER: Final = (b"bearer ", b"dpop ")
PUBLISHABLE: Final = b"pk_live_"  # names an application and proves nothing
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

Charge = tuple[Limit, BucketKey]
Credential = str | tuple[str | None, ...]
"""A token or key, or everything that a client sends to authenticate."""


def costly(path: str) -> bool:
    """Returns False for paths that cost no more than their refusal would."""
    return path not in FROM_MEMORY and not path.startswith(FILES)


@dataclass
class ValidCredentials:
    """Digests of credentials that were valid here, first in, first out. They are Python hashes, which
    no other process can produce."""

    size: int = MOST_CREDENTIALS
    _digests: OrderedDict[int, None] = field(default_factory=OrderedDict)

    def add(self, digest: int) -> None:
        if digest not in self._digests:
            self._digests[digest] = None
            if len(self._digests) > self.size:
                self._digests.popitem(last=False)

    def forget(self, digest: int) -> bool:
        """Returns False if it was not there."""
        if digest not in self._digests:
            return False
        del self._digests[digest]
        return True

    def __contains__(self, digest: int | None) -> bool:
        return digest in self._digests

    def __len__(self) -> int:
        return len(self._digests)


@dataclass(slots=True)
class PresentedCredential:
    """A credential that was not valid here before. `digest` and `client` are remembered if it is
    accepted; `charges` are made if it is not."""

    digest: int | None
    charges: list[Charge]
    client: int | None = None


@dataclass
class FloodLimits:
    """`scale` multiplies all limits; 0 turns them off."""

    scale: float = 1.0
    buckets: TokenBuckets = field(init=False)
    valid: ValidCredentials = field(default_factory=ValidCredentials)
    warned: bool = False

    def __post_init__(self) -> None:
        self.buckets = TokenBuckets(self.scale)

    def divide(self, gateways: int) -> None:
        """Takes this gateway's share: all of them admit what one alone would."""
        self.buckets.share = 1 / gateways

    def admit(self, visit: GatewayRequest) -> None:
        """Decides by the headers. Raises RateLimited."""
        if not self.scale or (visit.path in BY_FORM and visit.method == "POST"):
            return
        header = visit.headers.get(b"authorization", b"")
        token = header.partition(b" ")[2].strip()
        if header[:7].lower().startswith(BEARER) and not token.startswith(PUBLISHABLE):
            self.present(visit, token)
        elif b"cookie" in visit.headers and (cookie := self._session_cookie(visit)):
            self.present(visit, cookie.encode("latin-1", "replace"), INVALID_SESSION)
        elif (visit.method, visit.path) != POLLED:
            limit = ANONYMOUS_READ if visit.method in SAFE else ANONYMOUS_WRITE
            self.spend(visit, limit, client_network(visit.ip))

    def present(
        self, visit: GatewayRequest, credential: bytes, limit: Limit = INVALID_CREDENTIAL
    ) -> None:
        """A token, key or cookie arrives. Raises RateLimited if it was not valid here before and its
        network has presented too many that were rejected."""
        app_id = visit.app.app_id
        digest = hash((app_id, credential))
        if self.scale and digest not in self.valid:
            charge = limit, (app_id, limit.name, client_network(visit.ip))
            self._present(visit, PresentedCredential(digest, [charge]))

    def present_client(
        self, visit: GatewayRequest, secret: Credential | None, client_id: Callable[[], str | None]
    ) -> None:
        """An OAuth client authenticates: with a secret that costs a PBKDF2, or, if `secret` is None,
        with something that comes once only, such as an assertion or a code. Raises RateLimited. A
        client that exists has a bucket of its own, which made-up client ids do not touch."""
        app_id = visit.app.app_id
        digest = None if secret is None else _digest(visit, secret)
        if not self.scale or digest in self.valid:
            return
        name, source = client_id(), client_network(visit.ip)
        client, pair = hash((app_id, "client", name)), hash((source, name))
        bucket: str | int = pair if client in self.valid else source
        charges: list[Charge] = [(INVALID_CREDENTIAL, (app_id, INVALID_CREDENTIAL.name, bucket))]
        if secret is not None:
            charges.append((CLIENT_SECRET_FAILURE, (app_id, CLIENT_SECRET_FAILURE.name, pair)))
        self._present(visit, PresentedCredential(digest, charges, client))

    def accept(self, visit: GatewayRequest, credential: Credential | None = None) -> None:
        """The credential is valid: does not charge it, now or later. If two came with the request,
        `credential` names the valid one."""
        presented = visit.claim
        if presented is None:
            return
        visit.claim = visit.quota = None
        digest = presented.digest
        if digest is not None and (credential is None or digest == _digest(visit, credential)):
            self.valid.add(digest)
        if presented.client is not None:
            self.valid.add(presented.client)

    def reject(self, visit: GatewayRequest, credential: Credential) -> None:
        """The credential is not valid, or no longer."""
        self.valid.forget(_digest(visit, credential))

    def spend(self, visit: GatewayRequest, limit: Limit, bucket: str) -> None:
        """Takes one token. Raises RateLimited if there is none."""
        if self.scale:
            key = visit.tenant.app_id if visit.tenant else NO_TENANT, limit.name, bucket
            visit.quota = limit, key
            if wait := self.buckets.take(limit, key):
                self._refuse(visit, limit, wait)

    def refund(self, visit: GatewayRequest, limit: Limit, bucket: str) -> None:
        """Returns one token that was spent for nothing."""
        if self.scale:
            self.buckets.refund(limit, (visit.app.app_id, limit.name, bucket))

    def before_lookup(self, visit: GatewayRequest, name: str) -> None:
        """The application of this host or key is about to be looked up. Raises RateLimited if the
        name was not found here before and its network asked for too many that do not exist."""
        if self.scale and hash((NO_TENANT, name)) not in self.valid:
            limit, key = _lookup_charge(visit)
            if wait := self.buckets.wait(limit, key):
                visit.quota = limit, key
                self._refuse(visit, limit, wait)

    def after_lookup(self, visit: GatewayRequest, name: str, *, found: bool) -> None:
        """Remembers a name that was found, and charges one that was not."""
        if not self.scale:
            return
        if found:
            self.valid.add(hash((NO_TENANT, name)))
        elif not self.valid.forget(hash((NO_TENANT, name))):
            self.buckets.charge(*_lookup_charge(visit))

    def finish(self, visit: GatewayRequest, status: int) -> None:
        """The answer is about to go out: charges a credential that was not accepted, unless the
        answer is a server error and nobody could tell."""
        presented, visit.claim = visit.claim, None
        if presented is not None and status < 500:
            for limit, key in presented.charges:
                self.buckets.charge(limit, key)

    def headers(self, visit: GatewayRequest, status: int) -> Headers:
        """Returns what is left of the limit: on the API, and wherever it is exceeded."""
        if visit.quota is None or not (status == 429 or visit.path.startswith("/api/")):
            return []
        size, tokens, fills_in = self.buckets.remaining(*visit.quota)
        return [
            (b"x-ratelimit-limit", b"%d" % size),
            (b"x-ratelimit-remaining", b"%d" % tokens),
            (b"x-ratelimit-reset", b"%d" % math.ceil(time.time() + fills_in)),
        ]

    def _present(self, visit: GatewayRequest, presented: PresentedCredential) -> None:
        for limit, key in presented.charges:
            if wait := self.buckets.wait(limit, key):
                visit.quota = limit, key
                self._refuse(visit, limit, wait)
        visit.claim, visit.quota = presented, presented.charges[0]

    def _refuse(self, visit: GatewayRequest, limit: Limit, wait: float) -> None:
        visit.facts["limited"] = limit.name
        if (
            not self.warned
            and b"x-forwarded-for" in visit.headers
            and not visit.gateway.settings.trusted_proxies
        ):
            self.warned = True
            log.warning("limited behind a proxy that is not trusted: is AERO2_TRUSTED_PROXIES set?")
        app_id = visit.tenant.app_id if visit.tenant else NO_TENANT
        if self.buckets.take(ERROR_PAGE, (app_id, ERROR_PAGE.name, client_network(visit.ip))):
            visit.facts["flood"] = True
        metrics.LIMITED.labels(limit.name).inc()
        raise RateLimited("too many requests from your network", retry_after=math.ceil(wait))

    def _session_cookie(self, visit: GatewayRequest) -> str | None:
        """Returns None, too, if the session was found to have ended a moment ago."""
        token = visit.cookies.get(visit.gateway.settings.session_cookie)
        return None if token and visit.gateway.ended.get(visit.ended(token)) else token


def _digest(visit: GatewayRequest, credential: Credential) -> int:
    sent = credential.encode("latin-1", "replace") if isinstance(credential, str) else credential
    return hash((visit.app.app_id, sent))


def _lookup_charge(visit: GatewayRequest) -> Charge:
    return INVALID_CREDENTIAL, (NO_TENANT, INVALID_CREDENTIAL.name, client_network(visit.ip))
