"""The answer to a NATS server: a user with permissions, or a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from callout import nats_jwt
from callout.connecting import ConnectingIdentity
from callout.connection_attempt import ConnectionAttempt
from callout.settings import CalloutSettings
from common.contracts.nats_subjects import GrantedSubjects
from common.nkeys import NatsKey

RESPONSE_TIME: Final = 60 * 1_000_000_000
"""Nanoseconds in which a request may be answered."""
NO_LIMIT: Final = -1


@dataclass(frozen=True)
class Answers:
    """Signs answers with the key of the issuer account."""

    settings: CalloutSettings
    issuer: NatsKey

    def refuse(self, request: ConnectionAttempt, reason: str, *, now: int) -> str:
        """Returns the answer that lets nobody in. The server logs the reason; the client sees only an
        authorization violation."""
        return self._respond(request, {"error": reason}, now=now)

    def admit(self, request: ConnectionAttempt, user: ConnectingIdentity, *, now: int) -> str:
        """Returns the answer with the rights of a user until their token ends."""
        ends = min(int(user.expires_at), now + self.settings.callout_lifetime)
        user_jwt = nats_jwt.encode(
            self.issuer,
            "user",
            self._rights(user),
            now=now,
            sub=request.user_nkey,
            aud=self.settings.callout_accounts[user.app_id],  # the name of the account, not its key
            name=f"{user.kind}:{user.id}",
            exp=ends,
        )
        return self._respond(request, {"jwt": user_jwt}, now=now)

    def _rights(self, user: ConnectingIdentity) -> dict[str, Any]:
        rights: dict[str, Any] = {
            "pub": _permission(user.rights.publish),
            "sub": _permission(user.rights.subscribe),
            "subs": self.settings.callout_subscriptions,
            "data": NO_LIMIT,
            "payload": self.settings.callout_payload,
        }
        if user.rights.allow_responses:
            rights["resp"] = {"max": 1, "ttl": RESPONSE_TIME}
        return rights

    def _respond(self, request: ConnectionAttempt, nats: dict[str, str], *, now: int) -> str:
        return nats_jwt.encode(
            self.issuer,
            "authorization_response",
            dict(nats),
            now=now,
            sub=request.user_nkey,
            aud=request.server_id.id,
        )


def _permission(subjects: GrantedSubjects) -> dict[str, list[str]]:
    """Returns the rules as the server reads them. For the server, an empty list allows everything."""
    if not subjects.allow:
        return {"deny": [">"]}
    return {"allow": subjects.allow, "deny": subjects.deny}
