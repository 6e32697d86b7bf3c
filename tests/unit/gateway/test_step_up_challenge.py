"""The refusal of an access token whose sign-in is too old names the sign-in that is needed (RFC 9470)."""

from __future__ import annotations

from common.contracts.sessions import FreshSignInNeeded
from common.contracts.step_up import FreshTokenNeeded
from gateway.http.response import _challenge


def test_the_challenge_names_class_and_age() -> None:
    """The client can ask for a new token with exactly these values."""
    problem = FreshTokenNeeded(acr_values="urn:aero2:loa:2fa", max_age=900)

    assert problem.status == 401
    assert _challenge(problem) == (
        b'Bearer error="insufficient_user_authentication", '
        b'acr_values="urn:aero2:loa:2fa", max_age=900'
    )


def test_a_session_gets_no_challenge() -> None:
    """A session is refused with 403: its user confirms on a page, and no client asks for a token."""
    assert FreshSignInNeeded.status == 403
