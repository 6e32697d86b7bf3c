"""The user, client or key behind a credential, and what they may do on NATS.

A result stays in memory for half a minute, and goes as soon as an invalidation message names it. So a storm of reconnects asks nothing, and a revoked credential is refused at once.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson

from callout.settings import CalloutSettings
from common.audit_chain import unb64
from common.bus import Bus
from common.caches import Cache
from common.context import SYSTEM_CALLER, Context, new_trace
from common.contracts.api_keys import ApiKeyHolder, VerifyApiKey
from common.contracts.nats_subjects import GetNatsRights, GrantedSubjects, NatsRights
from common.contracts.tokens import AccessToken, CheckAccessToken
from common.ids import DASHBOARD
from common.problems import Problem
from common.tenants import Tenants

API_KEY: Final = "sk_live_"
NO_TENANT: Final = "-"
"""Stands for the application in the keys of entries whose application was not known yet."""
KNOWN_FOR: Final = 30.0
REFUSED_FOR: Final = 5.0
"""Seconds."""
IN_TIME: Final = 0.8
"""Seconds for an answer. The server waits for one second."""
MAX_CREDENTIAL: Final = 20_000
"""Characters."""
MAX_SUBJECTS: Final = 1000
EVERYTHING: Final = NatsRights(
    publish=GrantedSubjects(allow=[">"]), subscribe=GrantedSubjects(allow=[">"])
)
"""The rights of a secret key: it holds everything in its application."""


class Refused(Exception):
    """Somebody may not connect. The text is for the log of the server, and has no secret."""


@dataclass(frozen=True)
class ConnectingIdentity:
    """A user, client or key that may connect, until `expires_at` (seconds since 1970)."""

    app_id: str
    kind: Literal["user", "client", "key"]
    id: str
    rights: NatsRights
    expires_at: float
    tags: tuple[tuple[str, str], ...] = ()
    """The nouns and ids whose invalidation ends what is known."""


@dataclass
class ConnectingIdentities:
    """Looks credentials up, each once."""

    settings: CalloutSettings
    bus: Bus
    tenants: Tenants
    _known: Cache[ConnectingIdentity] = field(
        default_factory=lambda: Cache("callout", 50_000, KNOWN_FOR)
    )
    _keys: Cache[ApiKeyHolder] = field(
        default_factory=lambda: Cache("callout_key", 20_000, KNOWN_FOR)
    )
    _refused: Cache[bool] = field(
        default_factory=lambda: Cache("callout_refused", 20_000, REFUSED_FOR)
    )

    def invalidate(self, app_id: str, noun: str, id: str) -> None:
        """Handles an invalidation message."""
        self._known.drop(app_id, noun, id)
        self._keys.drop(NO_TENANT, noun, id)

    def forget_all(self) -> None:
        """Empties the caches: the bus was unreachable, so messages may have been missed."""
        self._known.clear()
        self._keys.clear()

    async def find(self, credential: str | None, user: str | None) -> ConnectingIdentity:
        """Returns who connects. Raises Refused, and Problem if a service is away."""
        if not credential:
            raise Refused("no token and no password")
        if len(credential) > MAX_CREDENTIAL:
            raise Refused("the token is too long")
        digest = hashlib.sha256(credential.encode("utf-8", "replace")).hexdigest()
        if self._refused.get((NO_TENANT, digest)):
            raise Refused("the token was refused a moment ago")
        try:
            return await self._find(credential, user, digest)
        except Problem as problem:
            if problem.status >= 500:
                raise
            self._refused.put((NO_TENANT, digest), True)
            raise Refused(f"the credential is not valid: {problem.code}") from None

    async def _find(self, credential: str, user: str | None, digest: str) -> ConnectingIdentity:
        if credential.startswith(API_KEY):
            return await self._find_key(credential, digest)
        app_id = self._application_of(credential, user)
        return await self._known.fetch(
            (app_id, "token", digest),
            lambda: self._load_token(app_id, credential),
            tags=lambda identity: identity.tags,
            ttl=lambda identity: identity.expires_at - time.time(),
        )

    async def _find_key(self, key: str, digest: str) -> ConnectingIdentity:
        holder = await self._keys.fetch(
            (NO_TENANT, "key", digest),
            lambda: self.bus.call(self._context(DASHBOARD), VerifyApiKey(key=key)),
            tags=lambda holder: [("api_key", holder.key_id), ("application", holder.app_id)],
        )
        if holder.app_id not in self.settings.callout_accounts:
            raise Refused("the key is of another application")
        if holder.key_type != "secret":
            raise Refused("this key proves nothing")
        ends = float("inf") if holder.expires_at is None else holder.expires_at.timestamp()
        if ends <= time.time():
            raise Refused("the key has expired")
        far = time.time() + self.settings.callout_lifetime
        return ConnectingIdentity(holder.app_id, "key", holder.key_id, EVERYTHING, min(ends, far))

    def _application_of(self, token: str, user: str | None) -> str:
        """Returns the application that a token claims to be of, which nobody has verified yet. An opaque
        token claims nothing: with several applications, the user name is the id of one. Raises Refused
        for an application that has no account here."""
        accounts = self.settings.callout_accounts
        claimed = _claims(token).get("app_id") or user
        if claimed is None and len(accounts) == 1:
            return next(iter(accounts))
        if not isinstance(claimed, str) or claimed.lower() not in accounts:
            raise Refused("the token is of no application with an account here")
        return claimed.lower()

    async def _load_token(self, app_id: str, token: str) -> ConnectingIdentity:
        ctx = self._context(app_id)
        tenant = await self.tenants.get(ctx)
        ctx = Context(
            app_id, deadline=ctx.deadline, trace=ctx.trace, origin=tenant.origin, home=tenant.home
        )
        valid = await self.bus.call(ctx, CheckAccessToken(token=token))
        if valid.actor_id is not None:
            raise Refused("somebody acts as the user")
        as_user = valid.user_id is not None
        system_ctx = ctx.with_caller(SYSTEM_CALLER)
        rights = await self.bus.call(
            system_ctx,
            GetNatsRights(
                user_id=valid.user_id,
                org_id=valid.org_id if as_user else None,
                client_id=valid.client_id,
            ),
        )
        return ConnectingIdentity(
            app_id=app_id,
            kind="user" if as_user else "client",
            id=valid.user_id or valid.client_id,
            rights=rights,
            expires_at=valid.expires_at.timestamp(),
            tags=tuple(_tags(app_id, valid)),
        )

    def _context(self, app_id: str) -> Context:
        return Context(app_id, deadline=time.monotonic() + IN_TIME, trace=new_trace())


def check_rights(identity: ConnectingIdentity) -> None:
    """Raises Refused for somebody without any subject, and for more subjects than a server should check."""
    rights = identity.rights
    if not (rights.publish.allow or rights.subscribe.allow or rights.allow_responses):
        raise Refused("no role gives NATS subjects")
    lists = (rights.publish, rights.subscribe)
    if sum(len(each.allow) + len(each.deny) for each in lists) > MAX_SUBJECTS:
        raise Refused(f"the roles give more than {MAX_SUBJECTS} subjects")


def _claims(token: str) -> dict[str, Any]:
    """Returns the claims of a JWT, which nobody has verified; none for any other token."""
    try:
        claims = orjson.loads(unb64(token.split(".")[1]))
    except (ValueError, LookupError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _tags(app_id: str, token: AccessToken) -> Iterable[tuple[str, str]]:
    yield "application", app_id
    yield "token", token.jti
    if token.grant_id:
        yield "token", token.grant_id
    yield "client", token.client_id
    yield "rights", token.user_id or token.client_id
    if token.session_id:
        yield "session", token.session_id
    if token.user_id:
        yield "user", token.user_id
