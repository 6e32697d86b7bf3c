"""Flood limits: how often strangers may ask, counted in the memory of this process.

Each network has buckets of its own in each application. Anonymous requests are charged on arrival.
Invalid credentials are charged when they are rejected. Valid credentials are never charged. A
credential that was valid here before is admitted whatever its network does: a flood from the same
address does not shut out the backend that lives there.

Each of several gateways admits its share (gateway/admission/replicas.py), so no request waits for a counter
elsewhere.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from common import logs
from gateway.admission.token_bucket import BucketKey, Limit, TokenBuckets

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
# Authorization requests that a client has pushed: each is a row for a minute.
PUSHED_REQUEST: Final = Limit("pushed_request", 2000, 200)
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
    PUSHED_REQUEST,
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
"""Open pages request this again and again. Without a cookie it is answered from memory."""
FILES: Final = ("/static/", "/brand/", "/oauth2/jwks/")
BY_FORM: Final = frozenset(
    {
        *("/oauth2/token", "/oauth2/introspect", "/oauth2/revoke", "/oauth2/userinfo"),
        *("/oauth2/par", "/oauth2/device_authorization"),
    }
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
    """The limits of this process. `scale` multiplies all of them; 0 turns them off. `proxies`: whether
    any proxy is trusted."""

    scale: float = 1.0
    proxies: bool = False
    buckets: TokenBuckets = field(init=False)
    valid: ValidCredentials = field(default_factory=ValidCredentials)
    warned: bool = False
    gateways: int = 1
    """The gateways that share the limits, with this one."""

    def __post_init__(self) -> None:
        self.buckets = TokenBuckets(self.scale)

    def divide(self, gateways: int) -> None:
        """Takes this gateway's share: all of them admit what one alone would."""
        self.gateways = gateways
        self.buckets.share = 1 / gateways

    def warn_of_proxy(self) -> None:
        """Logs once that limited requests come through a proxy that is not trusted."""
        if not self.warned and not self.proxies:
            self.warned = True
            log.warning("limited behind a proxy that is not trusted: is AERO2_TRUSTED_PROXIES set?")


def digest_of(app_id: str, credential: Credential | bytes) -> int:
    """Returns the digest of a credential in one application."""
    value = credential.encode("latin-1", "replace") if isinstance(credential, str) else credential
    return hash((app_id, value))
