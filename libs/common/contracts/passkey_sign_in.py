"""Signing in and up with a passkey (Web Authentication Level 3, section 7)."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import OPEN, SIGNED_IN, Request
from common.contracts.fields import Email, Name, PublicTitle, Token
from common.contracts.passkeys import AddedPasskey, CredentialJson, PasskeyOptions, RpId
from common.contracts.second_factors import CompletedSignIn
from common.contracts.sessions import SignedInSession
from common.contracts.sign_in import Attempt, SignInAttempt


class StartPasskeySignIn(
    Attempt, Request[PasskeyOptions], subject="identity.passkey.sign_in_options", needs=OPEN
):
    """Returns the options to sign in with a passkey, without a user name. With `rp_id` they are for
    the passkeys of another host of the application. Raises MethodOff, RateLimited."""

    rp_id: RpId | None = None


class SignInWithPasskey(
    SignInAttempt, Request[SignedInSession], subject="identity.passkey.sign_in", needs=OPEN
):
    """Signs in with a passkey. It counts as two factors. Raises PasskeyRefused, PasskeyUnknown,
    PasskeyChallengeSpent, MethodOff, EmailUnverified, AccountDisabled, RateLimited."""

    credential: CredentialJson


class StartPasskeySecondFactor(
    Attempt, Request[PasskeyOptions], subject="identity.passkey.second_factor_options", needs=OPEN
):
    """Returns the options to show a passkey as the second factor of the sign-in with this `token`.
    Raises NoSession."""

    token: Token = Field(repr=False)
    rp_id: RpId | None = None


class ShowPasskeySecondFactor(
    SignInAttempt, Request[CompletedSignIn], subject="identity.passkey.second_factor", needs=OPEN
):
    """Completes the sign-in with this `token` by a passkey of its user. Raises NoSession,
    PasskeyRefused, PasskeyChallengeSpent."""

    token: Token = Field(repr=False)
    credential: CredentialJson
    remember_device: bool = False


class StartPasskeyConfirmation(
    Request[PasskeyOptions], subject="identity.passkey.confirm_options", needs=SIGNED_IN
):
    """Returns the options to confirm the caller's identity with a passkey."""

    rp_id: RpId | None = None


class ConfirmWithPasskey(
    Request[SignedInSession], subject="identity.passkey.confirm", needs=SIGNED_IN
):
    """Confirms the identity of the caller with a passkey of theirs. The session gets a new id, a new
    token and a new `auth_time`. Raises PasskeyRefused, PasskeyChallengeSpent, AccountSwitched."""

    credential: CredentialJson


class StartFirstPasskey(
    Attempt, Request[PasskeyOptions], subject="identity.passkey.first_options", needs=OPEN
):
    """Returns the options to enrol a passkey in a sign-in that must enrol a second factor
    (`mfa_setup_required`). Raises NoSession, Forbidden, MethodOff."""

    token: Token = Field(repr=False)


class AddFirstPasskey(
    SignInAttempt, Request[AddedPasskey], subject="identity.passkey.add_first", needs=OPEN
):
    """Enrols a passkey in a sign-in that must enrol a second factor, and completes it. Raises
    NoSession, Forbidden, PasskeyRefused, PasskeyChallengeSpent, PasskeyExists."""

    token: Token = Field(repr=False)
    credential: CredentialJson
    name: PublicTitle | None = None


class StartPasskeySignUp(
    Attempt,
    Request[PasskeyOptions],
    subject="identity.passkey.sign_up_options",
    needs=OPEN,
    within=5.0,
):
    """Returns the options to sign up with only a passkey. The answer is the same whether the address
    is known. Raises MethodOff, SignUpClosed, Invalid, CaptchaFailed, RateLimited, MailsSent."""

    email: Email
    name: Name | None = None


class SignUpWithPasskey(
    SignInAttempt,
    Request[AddedPasskey],
    subject="identity.passkey.sign_up",
    needs=OPEN,
    within=5.0,
):
    """Creates a user with a passkey, and signs them in. The address becomes theirs once they have
    confirmed it by the e-mail that is sent. Raises PasskeyRefused, PasskeyChallengeSpent,
    PasskeyExists, MethodOff, SignUpClosed."""

    credential: CredentialJson
