"""Mail templates."""

from __future__ import annotations

from common.events.base import Event


class MailTemplateChanged(Event, type="mail_template_changed"):
    """A mail template was replaced, or reset to the built-in text."""

    kind: str
    locale: str
