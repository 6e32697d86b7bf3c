"""Device authorization (RFC 8628): a device without a browser signs a user in."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.contracts.authorization import MOST_SESSIONS, Authorization, Params, SignedIn
from common.contracts.base import OPEN, SIGNED_IN, Contract, Done, Id, Request
from common.contracts.fields import Timestamp
from common.contracts.oauth_errors import OAuthError
from common.problems import NotFound

MOST_DEVICES = 100
"""Devices in one list."""


class AuthorizationPending(OAuthError):
    """The user has not decided yet (RFC 8628 section 3.5)."""

    code, title = "authorization_pending", "The user has not decided yet. Poll again later."


class SlowDown(OAuthError):
    """The device polls too fast (RFC 8628 section 3.5). Its interval has grown by 5 seconds."""

    code, title = "slow_down", "The device polls too fast. Its interval is 5 seconds longer now."


class ExpiredToken(OAuthError):
    """The device code has expired (RFC 8628 section 3.5)."""

    code, title = "expired_token", "The device code has expired. Start again."


class UserCodeUnknown(NotFound):
    """No device waits for this user code: it is wrong, decided or expired."""

    code, title = "user_code_unknown", "This code is wrong or has expired."


class DeviceSignInNotFound(NotFound):
    """The user has signed in on no such device."""

    code, title = "device_sign_in_not_found", "This sign-in of a device does not exist."


class DeviceAuthorization(Contract):
    """The codes of a device that waits for its user (RFC 8628 section 3.2)."""

    device_code: str = Field(repr=False)
    user_code: str = Field(repr=False)
    verification_uri: str
    verification_uri_complete: str = Field(repr=False)
    expires_in: int
    interval: int


class StartDeviceAuthorization(
    Request[DeviceAuthorization], subject="oidc.device.start", needs=OPEN, within=5.0
):
    """Starts the sign-in of a device: POST /oauth2/device_authorization (RFC 8628 section 3.1)."""

    params: Params = Field(repr=False)
    basic: str | None = Field(default=None, repr=False)


class VerifyUserCode(Request[Authorization], subject="oidc.device.verify", needs=OPEN, within=5.0):
    """Finds the device that waits for a user code, and returns the next step of the browser, like
    `Authorize`. It approves nothing. Raises UserCodeUnknown, and RateLimited after five wrong codes
    of a session or ten in a minute from one network."""

    user_code: str = Field(max_length=60, repr=False)
    session: SignedIn
    others: list[SignedIn] = Field(
        default=[], max_length=MOST_SESSIONS, description="Further sessions of this browser."
    )
    choices: dict[str, Id] = Field(
        default={}, max_length=100, description="By client: the session the person chose before."
    )


DeviceState = Literal["approved", "signed_in", "ended", "denied"]


class DeviceSignIn(Contract):
    """A device on which a user signed in, or refused to, by a user code."""

    id: Id
    client_id: str
    client_name: str
    state: DeviceState = Field(
        description="`approved`: the device has not fetched its tokens yet. `signed_in`: its tokens "
        "are valid. `ended`: they are not, or were never fetched. `denied`: the user refused."
    )
    scopes: list[str] = []
    ip_address: str | None = Field(
        default=None, description="Where the device was when it started."
    )
    user_agent: str | None = None
    created_at: Timestamp
    decided_at: Timestamp | None = None


class DeviceSignIns(Contract):
    """The devices of a user, the latest first."""

    devices: list[DeviceSignIn]


class ListUserDeviceSignIns(
    Request[DeviceSignIns], subject="oidc.device.list_user", needs="users:read", safe=True
):
    """Lists the devices on which a user signed in by a code, 100 at most. Raises UserNotFound."""

    user_id: Id


class RevokeUserDeviceSignIn(
    Request[Done], subject="oidc.device.revoke_user", needs="users:write", within=5.0
):
    """Signs a user's device out. Its tokens stop working, and it gets none if it has not fetched them
    yet. Raises DeviceSignInNotFound."""

    user_id: Id
    device_id: Id


class ListMyDeviceSignIns(
    Request[DeviceSignIns], subject="oidc.device.list_own", needs=SIGNED_IN, safe=True
):
    """Lists the devices on which the calling user signed in by a code, 100 at most."""


class RevokeMyDeviceSignIn(
    Request[Done], subject="oidc.device.revoke_own", needs=SIGNED_IN, within=5.0
):
    """Signs a device of the calling user out. Raises DeviceSignInNotFound."""

    device_id: Id
