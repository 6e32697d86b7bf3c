"""Mail."""

from __future__ import annotations

from common.events.base import Event


class MailTemplateChanged(Event, type="mail_template_changed"):
    """The text of a mail was replaced, or put back."""

    kind: str
    locale: str
