"""Second factors: authenticator apps, recovery codes, remembered devices, and the sign-ins that wait for
one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from common.contracts.base import OPEN, SIGNED_IN, Contract, Done, Id, Request
from common.contracts.fields import Timestamp
from common.contracts.sessions import SecondFactorChallenge, SignedInSession
from common.problems import Conflict, Forbidden, Invalid, NotFound

HalfToken = Annotated[str, Field(min_length=1, max_length=200, repr=False)]
"""The token of a half session, which has a cookie of its own."""
TotpCode = Annotated[str, Field(max_length=20, repr=False)]


class SecondFactorsOff(Forbidden):
    """The application's `mfa_policy` is `off`."""

    code, title = "second_factors_off", "This application does not use two-step verification."


class FactorNeeded(Forbidden):
    """The user has a second factor, and has not shown it in this sign-in."""

    code, title = "factor_needed", "Confirm with the second factor that you have first."


class WrongFactorCode(Invalid):
    """The code of an authenticator app or the recovery code is wrong or was used."""

    code, title = "wrong_factor_code", "The code is wrong or was already used."


class TotpSetupMissing(Conflict):
    """This session has no authenticator app that waits for its first code."""

    code, title = "totp_setup_missing", "Start setting up your authenticator app again."


class TotpNotFound(NotFound):
    """The user has no authenticator app."""

    code, title = "totp_not_found", "Two-step verification is not turned on."


class LastSecondFactor(Conflict):
    """The application requires a second factor, and this is the user's last one."""

    code = "last_second_factor"
    title = "This application requires a second factor. Add another one first."


class NoSecondFactor(Conflict):
    """The user has no second factor that recovery codes could stand in for."""

    code, title = "no_second_factor", "Turn on two-step verification first."


class DeviceNotFound(NotFound):
    """The user has no remembered device with this id."""

    code, title = "device_not_found", "This device is not remembered."


class FactorProof(Contract):
    """The proof of a second factor: a code of the authenticator app, or a recovery code."""

    code: str | None = Field(
        default=None,
        max_length=20,
        repr=False,
        description="The six digits that the authenticator app shows. Spaces and hyphens are ignored.",
    )
    recovery_code: str | None = Field(
        default=None, max_length=100, repr=False, description="One of the recovery codes."
    )


class TotpFactor(Contract):
    """An authenticator app."""

    created_at: Timestamp
    last_used_at: Timestamp | None = None


class RememberedDevice(Contract):
    """A browser that skips the second factor for some days."""

    id: Id
    name: str | None = None
    created_at: Timestamp
    last_used_at: Timestamp | None = None
    expires_at: Timestamp


class SecondFactors(Contract):
    """The second factors of the caller."""

    totp: TotpFactor | None = Field(default=None, description="The authenticator app, if any.")
    passkeys: int = Field(default=0, description="The number of passkeys.")
    recovery_codes_left: int
    devices: list[RememberedDevice]


class GetSecondFactors(
    Request[SecondFactors], subject="identity.factor.get", needs=SIGNED_IN, safe=True
):
    """Returns the second factors of the caller, and the devices that skip them."""


class TotpSetup(Contract):
    """The secret of an authenticator app that waits for its first code."""

    secret: str = Field(repr=False, description="The secret in base 32, to type into the app.")
    otpauth_uri: str = Field(repr=False, description="The same as a URI that apps open.")
    qr_code_svg: str = Field(repr=False, description="The URI as a QR code, to show inline.")
    qr_code_data_url: str = Field(repr=False, description="The same as the address of a picture.")


class SetUpTotp(
    Request[TotpSetup],
    subject="identity.totp.set_up",
    needs=SIGNED_IN,
    fresh=True,
    guests=False,
):
    """Creates the secret of an authenticator app. Until its first code confirms it, an earlier app
    stays valid. In the same session the secret stays the same for an hour. Needs a fresh sign-in.
    Raises SecondFactorsOff, FreshSignInNeeded, RateLimited."""


class EnrolledTotp(Contract):
    """An authenticator app was turned on. The session gets a new id and token. `recovery_codes` are
    shown this once, and only if the user had none."""

    signed_in: SignedInSession | None = None
    recovery_codes: list[str] | None = Field(default=None, repr=False)


class ConfirmTotp(
    Request[EnrolledTotp], subject="identity.totp.confirm", needs=SIGNED_IN, fresh=True
):
    """Turns the authenticator app on by its first code. Raises TotpSetupMissing, WrongFactorCode,
    SecondFactorsOff, FreshSignInNeeded, RateLimited."""

    code: TotpCode


class RemoveTotp(Request[Done], subject="identity.totp.remove", needs=SIGNED_IN, fresh=True):
    """Turns the authenticator app off. Without any second factor left, the recovery codes end too.
    Needs a fresh sign-in. Raises TotpNotFound, LastSecondFactor, FreshSignInNeeded, RateLimited."""


class RecoveryCodes(Contract):
    """New recovery codes, which are shown this once."""

    recovery_codes: list[str] = Field(repr=False)


class RegenerateRecoveryCodes(
    Request[RecoveryCodes], subject="identity.recovery_code.regenerate", needs=SIGNED_IN, fresh=True
):
    """Replaces all recovery codes of the caller. Needs a fresh sign-in. Raises NoSecondFactor,
    FreshSignInNeeded, RateLimited."""


class RevokeDevice(Request[Done], subject="identity.device.revoke", needs=SIGNED_IN):
    """Ends a remembered device of the caller: it asks for the second factor again. Raises
    DeviceNotFound."""

    device_id: Id


class ConfirmFactor(
    FactorProof, Request[SignedInSession], subject="identity.factor.confirm", needs=SIGNED_IN
):
    """Shows a second factor in the session of the caller. The session gets a new id, a new token and
    a new `auth_time`. Raises WrongFactorCode, RateLimited."""


class GetSecondFactorChallenge(
    Request[SecondFactorChallenge], subject="identity.half_session.get", needs=OPEN, safe=True
):
    """Returns what a sign-in waits for. Raises NoSession if it has ended."""

    token: HalfToken


class CompletedSignIn(Contract):
    """A sign-in with its second factor. `device` is the value of the cookie for the remembered
    device, if there is one."""

    signed_in: SignedInSession
    device: str | None = Field(default=None, repr=False)


class CompleteSignIn(
    FactorProof,
    Request[CompletedSignIn],
    subject="identity.half_session.complete",
    needs=OPEN,
    within=5.0,
):
    """Starts the session by the second factor. Five wrong codes end the sign-in. Raises NoSession,
    WrongFactorCode, AccountDisabled, RateLimited."""

    token: HalfToken
    remember_device: bool = False
    browser: str | None = Field(default=None, max_length=200, repr=False)


class CancelSignIn(Request[Done], subject="identity.half_session.cancel", needs=OPEN):
    """Ends a sign-in that waits for a second factor. Does nothing if there is none."""

    token: HalfToken


class SetUpTotpAtSignIn(
    Request[TotpSetup], subject="identity.half_session.set_up_totp", needs=OPEN
):
    """Creates the secret of an authenticator app for a sign-in that waits for the enrolment of a
    second factor. Raises NoSession, FactorNeeded."""

    token: HalfToken


class ConfirmTotpAtSignIn(
    Request[EnrolledTotp], subject="identity.half_session.confirm_totp", needs=OPEN, within=5.0
):
    """Turns the authenticator app on by its first code, and starts the session. Raises NoSession,
    FactorNeeded, TotpSetupMissing, WrongFactorCode, AccountDisabled, RateLimited."""

    token: HalfToken
    code: TotpCode
    browser: str | None = Field(default=None, max_length=200, repr=False)


class ResetSecondFactors(
    Request[Done], subject="identity.factor.reset_user", needs="users:write", fresh=True
):
    """Removes all second factors of a user: the authenticator app, passkeys, recovery codes and
    remembered devices. The user is notified by e-mail. Raises UserNotFound, LastWayIn, NotHeld."""

    user_id: Id
