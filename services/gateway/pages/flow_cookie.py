"""What the browser carries from page to page while somebody signs in: the address, typed once, and
which mail is on its way. Nothing in it is trusted, and nothing in it is a secret."""

from __future__ import annotations

import time
from base64 import urlsafe_b64decode
from typing import Any, Final

import orjson
from pydantic import BaseModel, Field

from common.contracts.sign_in import Flow
from common.crypto import b64url
from gateway.http.request import GatewayRequest, set_cookie
from gateway.pages.fields import Fields

LIFE: Final = 3600
"""Seconds."""


class Trail(BaseModel):
    """`flow` is that of the mail sent last; `ends` and `again` are when its code expires and when
    another may be asked for, in epoch seconds. `remember`: the visitor chose to stay signed in. `client` is the name of who sent the visitor, as
    long as `request` is the one that is pending; `onward` is where the visitor was going when the
    mail was asked for, so that its link leads there too."""

    email: str = Field(default="", max_length=254)
    flow: str = Field(default="", max_length=40)
    signing_up: bool = False
    remember: bool = False
    ends: int = 0
    again: int = 0
    client: str = Field(default="", max_length=200)
    request: str = Field(default="", max_length=200)
    onward: dict[str, str | None] = Field(default={}, max_length=3)

    def code_times(self) -> dict[str, Any]:
        now = int(time.time())
        return {"ends_in": max(0, self.ends - now), "resend_in": max(0, self.again - now)}

    def going(self) -> Fields:
        return Fields({name: value for name, value in self.onward.items() if value})

    def client_of(self, fields: Fields) -> str | None:
        """Who sent the visitor, where that is known of this very request."""
        return self.client if self.client and self.request == fields.get("request") else None


def name(visit: GatewayRequest) -> str:
    return "__Host-aero2_trail" if visit.gateway.settings.secure else "aero2_trail"


def read(visit: GatewayRequest) -> Trail:
    """What the browser brought, or nothing where it is not ours."""
    packed = visit.cookies.get(name(visit), "")
    try:
        return Trail.model_validate_json(urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
    except ValueError:  # of base64, JSON or a field
        return Trail()


def write(visit: GatewayRequest, **changes: Any) -> Trail:
    trail = read(visit).model_copy(update=changes)
    packed = b64url(orjson.dumps(trail.model_dump(exclude_defaults=True)))
    secure = visit.gateway.settings.secure
    visit.cookies[name(visit)] = packed
    visit.cookies_out.append(set_cookie(name(visit), packed, secure=secure, max_age=LIFE))
    return trail


def mailed(
    visit: GatewayRequest,
    email: str,
    flow: Flow,
    onward: dict[str, str | None] | None = None,
    *,
    signing_up: bool = False,
) -> Trail:
    """A code is on its way to `email`."""
    return write(
        visit,
        email=email,
        flow=flow.flow,
        signing_up=signing_up,
        onward={name: value for name, value in (onward or {}).items() if value},
        ends=int(flow.expires_at.timestamp()),
        again=int(time.time()) + flow.resend_after,
    )


def forget(visit: GatewayRequest) -> None:
    """Signed in: nothing is left of it."""
    if name(visit) in visit.cookies:
        secure = visit.gateway.settings.secure
        visit.cookies_out.append(set_cookie(name(visit), "", secure=secure, max_age=0))
