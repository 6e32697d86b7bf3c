"""Guests: accounts without credentials, which the application's publishable key creates."""

from __future__ import annotations

from common.contracts.base import OPEN, Request
from common.contracts.sessions import SignedInSession
from common.contracts.sign_in import Attempt
from common.problems import Forbidden


class GuestsOff(Forbidden):
    """The application has no guest accounts."""

    code, title = "guests_off", "This application does not offer guest accounts."


class CreateGuest(
    Attempt, Request[SignedInSession], subject="identity.guest.create", needs=OPEN, within=5.0
):
    """Creates an account without credentials and starts its session. The account is deleted after
    30 days without activity. Raises GuestsOff, CaptchaFailed, RateLimited."""
