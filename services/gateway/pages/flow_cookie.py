"""The cookie that a browser carries from page to page during a sign-in: the e-mail address, entered
once, and the mail that was sent last. Nothing in it is trusted, and nothing in it is a secret."""

from __future__ import annotations

import time
from base64 import urlsafe_b64decode
from typing import Any, Final

import orjson
from pydantic import BaseModel, Field

from common.contracts.sign_in import Flow
from common.crypto import b64url
from gateway.http.request import GatewayRequest
from gateway.pages.fields import Fields

MAX_AGE: Final = 3600
"""Seconds."""


class FlowCookie(BaseModel):
    """`flow` is that of the mail sent last. `ends` is when its code expires, and `again` when another
    may be requested, both in epoch seconds. `remember`: the user chose to stay signed in. `client` is
    the name of the client that sent the user, as long as `request` is the pending request. `onward` is
    where the user was going when the mail was requested, so that its link leads there too."""

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
        """Returns the seconds until the code expires and until another may be requested."""
        now = int(time.time())
        return {"ends_in": max(0, self.ends - now), "resend_in": max(0, self.again - now)}

    def onward_fields(self) -> Fields:
        return Fields({name: value for name, value in self.onward.items() if value})

    def client_of(self, fields: Fields) -> str | None:
        """Returns the name of the client if it belongs to the pending request that `fields` name."""
        return self.client if self.client and self.request == fields.get("request") else None


def name(request: GatewayRequest) -> str:
    return "__Host-aero2_trail" if request.secure else "aero2_trail"


def read(request: GatewayRequest) -> FlowCookie:
    """Returns the browser's cookie, or an empty one if it cannot be read."""
    packed = request.cookie(name(request)) or ""
    try:
        return FlowCookie.model_validate_json(urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
    except ValueError:  # of base64, JSON or a field
        return FlowCookie()


def write(request: GatewayRequest, /, **changes: Any) -> None:
    """Changes some fields of the cookie."""
    cookie = read(request).model_copy(update=changes)
    packed = b64url(orjson.dumps(cookie.model_dump(exclude_defaults=True)))
    request.set_cookie(name(request), packed, MAX_AGE)


def remember_mail(
    request: GatewayRequest,
    email: str,
    flow: Flow,
    onward: dict[str, str | None] | None = None,
    *,
    signing_up: bool = False,
) -> None:
    """Remembers that a code was mailed to `email`."""
    write(
        request,
        email=email,
        flow=flow.flow,
        signing_up=signing_up,
        onward={name: value for name, value in (onward or {}).items() if value},
        ends=int(flow.expires_at.timestamp()),
        again=int(time.time()) + flow.resend_after,
    )


def forget(request: GatewayRequest) -> None:
    """Deletes the cookie: the user has signed in."""
    if request.cookie(name(request)) is not None:
        request.set_cookie(name(request), "", 0)
