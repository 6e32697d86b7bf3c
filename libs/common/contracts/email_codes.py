"""Sign-in with a code or link by e-mail."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import OPEN, SIGNED_IN, Id, Request
from common.contracts.fields import Email, Token
from common.contracts.sessions import SignedInSession
from common.contracts.sign_in import Attempt, Flow, SignInAttempt


class StartEmailCode(
    Attempt, Request[Flow], subject="identity.email_code.start", needs=OPEN, within=5.0
):
    """Sends one e-mail with a code and a link to sign in. They also create an account if sign-up is
    open."""

    email: Email


class SignInWithCode(
    SignInAttempt, Request[SignedInSession], subject="identity.email_code.sign_in", needs=OPEN
):
    """Signs in with a code. Raises WrongCode, CodeSpent, AccountDisabled."""

    flow: Id
    code: str = Field(max_length=20, repr=False)


class SignInWithLink(
    SignInAttempt, Request[SignedInSession], subject="identity.email_link.sign_in", needs=OPEN
):
    """Signs in with the `token` of a link, in the browser that requested it. Raises LinkSpent,
    OtherBrowser."""

    token: Token = Field(repr=False)


class ConfirmWithCode(
    Request[SignedInSession],
    subject="identity.email_code.confirm",
    needs=SIGNED_IN,
    guests=False,
):
    """Confirms the identity of the caller with a code that was mailed to their own address. The
    session gets a new id, a new token and a new `auth_time`. Raises WrongCode, CodeSpent,
    MethodOff."""

    flow: Id
    code: str = Field(max_length=20, repr=False)
