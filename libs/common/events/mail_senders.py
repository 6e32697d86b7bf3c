"""The mail server of an application."""

from __future__ import annotations

from common.events.base import Event


class MailSenderChanged(Event, type="mail_sender_changed"):
    """The mail server was set or changed. `fields` has the names of the changed fields, not their
    values."""

    fields: list[str]


class MailSenderDeleted(Event, type="mail_sender_deleted"):
    """The mail server was deleted. Mails go out through the platform's server again."""


class MailSenderFailed(Event, type="mail_sender_failed"):
    """The mail server began to fail, so mails wait. `step` is `connect`, `tls`, `sign_in`, `sender`
    or `message`. Recorded once until mails go out again."""

    step: str


class MailSenderRecovered(Event, type="mail_sender_recovered"):
    """The mail server works again, so the waiting mails go out."""
