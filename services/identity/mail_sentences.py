"""Sentences that several built-in mails share."""

from __future__ import annotations

from identity.mail_languages import Say
from identity.mail_layout import when


def greeting(say: Say) -> str:
    """Returns the first line of every mail."""
    return when("name", say("Hello {{ name }},"), say("Hello,"))


def same_browser(say: Say) -> str:
    """Returns a note about a link that is bound to a browser."""
    return say("The link works only in the browser in which you requested it.")


def not_requested(say: Say) -> str:
    """Returns a note for recipients who requested nothing."""
    text = say(
        "If you did not request this e-mail, you can ignore it. Without it, nobody can sign in."
    )
    return text + requested_from(say)


def requested_from(say: Say) -> str:
    """Returns a sentence about the device and the address of the request, if the mail names the
    device."""
    return when("device", " " + say("Requested from {{ device }}.") + ip_address(say))


def ip_address(say: Say) -> str:
    """Returns a sentence about the address of the request, if it is known."""
    return when("ip", " " + say("The IP address was {{ ip }}."))


def not_you(say: Say) -> str:
    """Returns a note for recipients who did nothing."""
    return say("If it was not you, you can ignore this e-mail.")


def expiry(say: Say) -> str:
    """Returns a note about how long an invitation is valid."""
    return when(
        "days == 1",
        say("The link works once and expires within a day."),
        say("The link works once and expires in {{ days }} days."),
    )


def unexpected_invitation(say: Say) -> str:
    """Returns a note for recipients who expected no invitation."""
    return say("If you did not expect this invitation, you can ignore this e-mail.")
