"""The mail server of an application: its own SMTP server, in place of the platform's."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from common.contracts.base import Contract, Done, Request
from common.contracts.fields import Email, Secret, Timestamp, Title
from common.contracts.versioned import Versioned
from common.field_errors import value_error
from common.problems import Forbidden, NotFound

TlsMode = Literal["tls", "starttls", "none"]
SenderStep = Literal["connect", "tls", "sign_in", "sender", "message"]
"""The steps of sending a mail, in their order."""


def _host(value: object) -> object:
    return value.strip().rstrip(".").lower() if isinstance(value, str) else value


def _ascii(address: str) -> str:
    if not address.isascii():
        raise value_error("not_an_email_address")
    return address


def _none_if_empty(value: object) -> object:
    return (value.strip() or None) if isinstance(value, str) else value


MailHost = Annotated[
    str,
    BeforeValidator(_host),
    Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([a-z0-9.:-]*[a-z0-9])?$"),
]

MailUser = Annotated[str, Field(max_length=320)]


class MailSenderFields(Contract):
    """A mail server, and the sender of the mails."""

    host: MailHost = Field(description="The name of the mail server.")
    port: int | None = Field(
        default=None,
        ge=1,
        le=65_535,
        description="`null`: the default of `tls`, which is 465 for `tls` and 587 for `starttls`.",
    )
    tls: TlsMode = Field(
        default="tls",
        description="TLS from the first byte (`tls`), or from STARTTLS on (`starttls`). `none` is "
        "for development only.",
    )
    user: Annotated[MailUser | None, BeforeValidator(_none_if_empty)] = Field(
        default=None, description="The name to sign in with. `null`: without signing in."
    )
    password: Secret | None = Field(
        default=None,
        repr=False,
        description="Stored encrypted and shown as `********`. To keep it, leave it out or send "
        "`********`. If the host, the port, `tls` or the user changes, send it again.",
    )
    from_address: Annotated[Email, AfterValidator(_ascii)] = Field(
        description="The address that mails come from."
    )
    from_name: Annotated[Title | None, BeforeValidator(_none_if_empty)] = Field(
        default=None,
        description="The name that mails come from. `null`: the name of the application.",
    )


class MailSenderState(Contract):
    """Whether mails go out. While the server fails, they wait."""

    failing_since: Timestamp | None = Field(
        default=None, description="When the server began to fail. `null`: it does not fail."
    )
    last_error: SenderStep | None = Field(default=None, description="The step that failed last.")
    waiting: int = Field(default=0, description="Mails that wait, 10,000 at most.")
    waiting_since: Timestamp | None = Field(
        default=None, description="When the oldest of these mails was written."
    )


class MailSender(Versioned):
    """The mail server of the application, and its state."""

    volatile: ClassVar[frozenset[str]] = frozenset({"state"})

    host: str
    port: int
    tls: TlsMode
    user: str | None
    password: str | None = Field(description="`********` if there is one.")
    from_address: str
    from_name: str | None
    updated_at: Timestamp
    state: MailSenderState


class MailSenderCheck(Contract):
    """The result of a test mail. The server's own words are not shown."""

    passed: list[SenderStep] = Field(description="The steps that succeeded, in their order.")
    failed: SenderStep | None = Field(
        description="The step that failed. `null`: the test mail was sent."
    )
    to: str = Field(description="Your own address, which gets the test mail.")


class MailSenderNotFound(NotFound):
    """The application has no mail server of its own."""

    code = "mail_sender_not_found"
    title = "This application has no mail server of its own."


class OwnAddressUnverified(Forbidden):
    """A test mail goes to the caller's own verified address, and the caller has none."""

    code = "own_address_unverified"
    title = "The test mail goes to your own address. Verify it first."


class GetMailSender(
    Request[MailSender], subject="identity.mail_sender.get", needs="settings:read", safe=True
):
    """Returns the mail server and its state. Raises MailSenderNotFound."""


class PutMailSender(
    Request[MailSender],
    subject="identity.mail_sender.put",
    needs="settings:write",
    within=5.0,
    fresh=True,
    conditional=True,
):
    """Replaces the mail server. Waiting mails go out through the new one. Raises Invalid, NotHeld."""

    sender: MailSenderFields


class DeleteMailSender(
    Request[Done],
    subject="identity.mail_sender.delete",
    needs="settings:write",
    conditional=True,
):
    """Goes back to the platform's mail server. Raises MailSenderNotFound."""


class CheckMailSender(
    Request[MailSenderCheck],
    subject="identity.mail_sender.test",
    needs="settings:write",
    within=20.0,
):
    """Sends a test mail to the caller's own verified address, through the stored server or through
    `sender`. Raises MailSenderNotFound, OwnAddressUnverified, Invalid, RateLimited."""

    sender: MailSenderFields | None = None
