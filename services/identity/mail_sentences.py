"""Sentences that several built-in mails share."""

from __future__ import annotations

from identity.mail_languages import Translate
from identity.mail_layout import when


def greeting(translate: Translate) -> str:
    """Returns the first line of every mail."""
    return when("name", translate("Hello {{ name }},"), translate("Hello,"))


def same_browser(translate: Translate) -> str:
    """Returns a note about a link that is bound to a browser."""
    return translate("The link works only in the browser in which you requested it.")


def not_requested(translate: Translate) -> str:
    """Returns a note for recipients who requested nothing."""
    text = translate(
        "If you did not request this e-mail, you can ignore it. Without it, nobody can sign in."
    )
    return text + requested_from(translate)


def requested_from(translate: Translate) -> str:
    """Returns a sentence about the device and the address of the request, if the mail names the
    device."""
    return when("device", " " + translate("Requested from {{ device }}.") + ip_address(translate))


def ip_address(translate: Translate) -> str:
    """Returns a sentence about the address of the request, if it is known."""
    return when("ip", " " + translate("The IP address was {{ ip }}."))


def place(translate: Translate) -> str:
    """Returns a sentence about the place of the address, if it is known."""
    return when("place", " " + translate("That address is probably in or near {{ place }}."))


def not_you(translate: Translate) -> str:
    """Returns a note for recipients who did nothing."""
    return translate("If it was not you, you can ignore this e-mail.")


def expiry(translate: Translate) -> str:
    """Returns a note about how long an invitation is valid."""
    return when(
        "days == 1",
        translate("The link works once and expires within a day."),
        translate("The link works once and expires in {{ days }} days."),
    )


def unexpected_invitation(translate: Translate) -> str:
    """Returns a note for recipients who expected no invitation."""
    return translate("If you did not expect this invitation, you can ignore this e-mail.")
