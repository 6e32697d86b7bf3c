"""The text of the test mail of a mail server."""

from __future__ import annotations

from identity.mail_languages import Translate
from identity.mail_layout import MailParts


def mail_sender_test_mail(translate: Translate) -> MailParts:
    """Returns the mail that shows developers that their mail server works."""
    return MailParts(
        subject=translate("Test e-mail of {{ app_name }}"),
        paragraphs=(
            translate("The mail server of {{ app_name }} works. This e-mail came through it."),
        ),
        note=translate("You started this test in the Dashboard or with the API."),
    )
