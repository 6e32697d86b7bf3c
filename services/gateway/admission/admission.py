"""The admission of one request: what it is charged, and the slot in which it is worked on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from common import metrics
from common.ip_addresses import client_network
from common.problems import RateLimited
from gateway.admission.fair_queue import FairQueue
from gateway.admission.flood_limits import (
    ANONYMOUS_READ,
    ANONYMOUS_WRITE,
    BEARER,
    BY_FORM,
    CLIENT_SECRET_FAILURE,
    ERROR_PAGE,
    INVALID_CREDENTIAL,
    INVALID_SESSION,
    NO_TENANT,
    POLLED,
    PUBLISHABLE,
    SAFE,
    Charge,
    Credential,
    FloodLimits,
    PresentedCredential,
    digest_of,
)
from gateway.admission.token_bucket import Decision, Limit
from gateway.http.request import GatewayRequest
from gateway.http.response import Headers


@dataclass(slots=True)
class Admission:
    """Owns the credential that a request presented, the limit that it counts against, and its slot in
    a queue. `forwarded`: the request has an X-Forwarded-For header. `log_facts` are those of the
    request's log line."""

    limits: FloodLimits
    ip: str | None
    forwarded: bool
    log_facts: dict[str, Any]
    app_id: str = NO_TENANT
    """The application of the host, once it is known."""
    presented: PresentedCredential | None = None
    """Until it is accepted. Otherwise it is charged at the end."""
    quota: Charge | None = None
    """The limit that the response reports."""
    slot: FairQueue | None = None
    """The queue in which this request holds a slot."""
    flooded: bool = False
    """Whether the network has used up its error pages."""

    def admit(self, request: GatewayRequest, session_token: str | None) -> None:
        """Decides by the headers. `session_token` is the session cookie, unless it is known to have
        ended. Raises RateLimited."""
        if not self.limits.scale or (request.path in BY_FORM and request.method == "POST"):
            return
        header = request.headers.get(b"authorization", b"")
        token = header.partition(b" ")[2].strip()
        if header[:7].lower().startswith(BEARER) and not token.startswith(PUBLISHABLE):
            self.present(token)
        elif session_token:
            self.present(session_token.encode("latin-1", "replace"), INVALID_SESSION)
        elif (request.method, request.path) != POLLED:
            limit = ANONYMOUS_READ if request.method in SAFE else ANONYMOUS_WRITE
            self.charge(limit, client_network(self.ip))

    def present(self, credential: bytes, limit: Limit = INVALID_CREDENTIAL) -> None:
        """A token, key or cookie arrives. Raises RateLimited if it was not valid here before and its
        network has presented too many that were rejected."""
        digest = digest_of(self.app_id, credential)
        if self.limits.scale and digest not in self.limits.valid:
            charge = limit, (self.app_id, limit.name, client_network(self.ip))
            self._present(PresentedCredential(digest, [charge]))

    def present_client(
        self, secret: Credential | None, client_id: Callable[[], str | None]
    ) -> None:
        """An OAuth client authenticates: with a secret that costs a PBKDF2, or, if `secret` is None,
        with something that comes once only, such as an assertion or a code. Raises RateLimited. A
        client that exists has a bucket of its own, which made-up client ids do not touch."""
        valid = self.limits.valid
        digest = None if secret is None else digest_of(self.app_id, secret)
        if not self.limits.scale or digest in valid:
            return
        name, source = client_id(), client_network(self.ip)
        client, pair = hash((self.app_id, "client", name)), hash((source, name))
        bucket: str | int = pair if client in valid else source
        charges: list[Charge] = [
            (INVALID_CREDENTIAL, (self.app_id, INVALID_CREDENTIAL.name, bucket))
        ]
        if secret is not None:
            key = self.app_id, CLIENT_SECRET_FAILURE.name, pair
            charges.append((CLIENT_SECRET_FAILURE, key))
        self._present(PresentedCredential(digest, charges, client))

    def accept(self, credential: Credential | None = None) -> None:
        """The credential is valid: does not charge it, now or later. If two came with the request,
        `credential` names the valid one."""
        presented = self.presented
        if presented is None:
            return
        self.presented = self.quota = None
        digest = presented.digest
        if digest is not None and (
            credential is None or digest == digest_of(self.app_id, credential)
        ):
            self.limits.valid.add(digest)
        if presented.client is not None:
            self.limits.valid.add(presented.client)

    def reject(self, credential: Credential) -> None:
        """The credential is not valid, or no longer."""
        self.limits.valid.forget(digest_of(self.app_id, credential))

    def charge(self, limit: Limit, bucket: str) -> None:
        """Charges one request to a limit. Raises RateLimited if its bucket is empty."""
        if self.limits.scale:
            key = self.app_id, limit.name, bucket
            self.quota = limit, key
            decision = self.limits.buckets.take(limit, key)
            if not decision.allowed:
                self._refuse(limit, decision)

    def refund(self, limit: Limit, bucket: str) -> None:
        """Returns one token that was charged for nothing."""
        if self.limits.scale:
            self.limits.buckets.refund(limit, (self.app_id, limit.name, bucket))

    def before_lookup(self, name: str) -> None:
        """The application of this host or key is about to be looked up. Raises RateLimited if the
        name was not found here before and its network asked for too many that do not exist."""
        if self.limits.scale and hash((NO_TENANT, name)) not in self.limits.valid:
            limit, key = self._lookup_charge()
            decision = self.limits.buckets.check(limit, key)
            if not decision.allowed:
                self.quota = limit, key
                self._refuse(limit, decision)

    def after_lookup(self, name: str, *, exists: bool) -> None:
        """Remembers a name that exists, and charges one that does not."""
        if not self.limits.scale:
            return
        if exists:
            self.limits.valid.add(hash((NO_TENANT, name)))
        elif not self.limits.valid.forget(hash((NO_TENANT, name))):
            self.limits.buckets.charge(*self._lookup_charge())

    async def start_work(self, queue: FairQueue) -> None:
        """Takes a slot, or waits for one. Raises Busy."""
        if not queue.enter(self.app_id):
            self.log_facts["waited"] = True
            await queue.wait(self.app_id)
        self.slot = queue

    def finish(self, status: int) -> None:
        """The response is about to be sent: frees the slot, and charges a credential that was not
        accepted. After a server error nobody could tell, so nothing is charged."""
        presented, self.presented = self.presented, None
        if presented is not None and status < 500:
            for limit, key in presented.charges:
                self.limits.buckets.charge(limit, key)
        if self.slot is not None:
            self.end_work()

    def end_work(self) -> None:
        """Frees the slot, if there is one."""
        slot, self.slot = self.slot, None
        if slot is not None:
            slot.leave(self.app_id)

    def headers(self, path: str, status: int) -> Headers:
        """Returns what is left of the limit: on the API, and wherever the limit is exceeded."""
        if self.quota is None or not (status == 429 or path.startswith("/api/")):
            return []
        limit, key = self.quota
        decision = self.limits.buckets.check(limit, key)
        return [
            (b"x-ratelimit-limit", b"%d" % self.limits.buckets.tokens_in(limit)),
            (b"x-ratelimit-remaining", b"%d" % decision.remaining),
            (b"x-ratelimit-reset", b"%d" % math.ceil(time.time() + decision.reset_in)),
        ]

    def _present(self, presented: PresentedCredential) -> None:
        for limit, key in presented.charges:
            decision = self.limits.buckets.check(limit, key)
            if not decision.allowed:
                self.quota = limit, key
                self._refuse(limit, decision)
        self.presented, self.quota = presented, presented.charges[0]

    def _refuse(self, limit: Limit, decision: Decision) -> None:
        self.log_facts["limited"] = limit.name
        if self.forwarded:
            self.limits.warn_of_proxy()
        key = self.app_id, ERROR_PAGE.name, client_network(self.ip)
        if not self.limits.buckets.take(ERROR_PAGE, key).allowed:
            self.flooded = self.log_facts["flood"] = True
        metrics.LIMITED.labels(limit.name).inc()
        raise RateLimited(
            "too many requests from your network", retry_after=math.ceil(decision.retry_in)
        )

    def _lookup_charge(self) -> Charge:
        return INVALID_CREDENTIAL, (NO_TENANT, INVALID_CREDENTIAL.name, client_network(self.ip))


def admission_of(request: GatewayRequest) -> Admission:
    """Returns the admission of this request."""
    admission = request.state.admission
    assert isinstance(admission, Admission), "the gateway gives one to every request"
    return admission
