"""Signing in by a mailed code or link."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import OPEN, Id, Request
from common.contracts.fields import Email, Token
from common.contracts.sessions import SignedInSession
from common.contracts.sign_in import Attempt, Flow, SignInAttempt


class StartEmailCode(
    Attempt, Request[Flow], subject="identity.email_code.start", needs=OPEN, within=5.0
):
    """One mail with a code and a link that sign in, and sign up where that is open."""

    email: Email


class SignInWithCode(
    SignInAttempt, Request[SignedInSession], subject="identity.email_code.sign_in", needs=OPEN
):
    """Raises WrongCode, CodeSpent, AccountDisabled."""

    flow: Id
    code: str = Field(max_length=20, repr=False)


class SignInWithLink(
    SignInAttempt, Request[SignedInSession], subject="identity.email_link.sign_in", needs=OPEN
):
    """`token` from the link, `browser` from the cookie. Raises LinkSpent, OtherBrowser."""

    token: Token = Field(repr=False)
