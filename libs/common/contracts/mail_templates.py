"""Templates of e-mails."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.contracts.base import Contract, Done, Request
from common.contracts.versioned import Versioned
from common.problems import (
    Invalid,
    NotFound,
)


class Template(Versioned):
    """The template of one kind of mail in one language, as sandboxed Jinja2. `custom` tells whether
    it replaces the built-in text."""

    kind: str
    locale: Literal["en", "de"]
    subject: str
    text: str
    html: str
    custom: bool = False
    variables: list[str] = []


class Templates(Contract):
    """The templates of all kinds of mail in all languages."""

    templates: list[Template]


class TemplateInvalid(Invalid):
    """The template cannot be rendered. `errors` names the part."""

    code, title = "template_invalid", "The template cannot be rendered."


class TemplateNotFound(NotFound):
    """No kind of mail has this name."""

    code, title = "template_not_found", "This kind of mail does not exist."


class TemplateText(Contract):
    """The subject and the two bodies of a mail."""

    subject: str = Field(min_length=1, max_length=300)
    text: str = Field(min_length=1, max_length=50_000)
    html: str = Field(min_length=1, max_length=100_000)


class ListTemplates(
    Request[Templates], subject="identity.template.list", needs="apps:read", safe=True
):
    """Lists the templates of every kind of mail in every language."""


class GetTemplate(Request[Template], subject="identity.template.get", needs="apps:read", safe=True):
    """Returns one template. Raises TemplateNotFound."""

    kind: str = Field(max_length=50)
    locale: Literal["en", "de"]


class PutTemplate(
    Request[Template],
    subject="identity.template.put",
    needs="apps:write",
    within=10.0,
    conditional=True,
):
    """Replaces the built-in text. Raises TemplateNotFound, TemplateInvalid."""

    kind: str = Field(max_length=50)
    locale: Literal["en", "de"]
    template: TemplateText


class ResetTemplate(
    Request[Template], subject="identity.template.reset", needs="apps:write", conditional=True
):
    """Restores the built-in text. Raises TemplateNotFound."""

    kind: str = Field(max_length=50)
    locale: Literal["en", "de"]


class RenderedMail(Contract):
    """A mail as it would be sent."""

    subject: str
    text: str
    html: str


class PreviewTemplate(
    Request[RenderedMail],
    subject="identity.template.preview",
    needs="apps:read",
    within=10.0,
    safe=True,
):
    """Renders a mail with sample values. Raises TemplateInvalid."""

    kind: str = Field(max_length=50)
    locale: Literal["en", "de"] = "en"
    template: TemplateText | None = None


class SendTestMail(Request[Done], subject="identity.template.test", needs="apps:write"):
    """Sends a mail of this kind with sample values to the caller's own verified address. Raises
    TemplateNotFound, OwnAddressUnverified, RateLimited."""

    kind: str = Field(max_length=50)
    locale: Literal["en", "de"] = "en"
