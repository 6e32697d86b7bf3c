"""Settings of the identity service."""

from __future__ import annotations

from email.utils import parseaddr

from pydantic import Field, SecretStr, field_validator

from common.address_keys import address_key
from common.settings import DatabaseSettings, EgressSettings
from identity.smtp import BadSmtpUrl, Smtp


class Settings(DatabaseSettings, EgressSettings):
    sweep_database_url: SecretStr
    mail_database_url: SecretStr
    smtp_url: SecretStr | None = Field(
        default=None,
        description="smtp://user:pw@host:port?tls=none|starttls|tls; mail waits without.",
    )
    mail_from: str = "Aero2 <no-reply@localhost>"
    bootstrap_admin_email: str | None = Field(
        default=None, description="Becomes operator at the first sign-in with a verified address."
    )
    breach_url: str = Field(
        default="https://api.pwnedpasswords.com/range/",
        description="k-anonymity range endpoint, for applications that turn the check on.",
    )
    limit_scale: float = Field(
        default=1.0, ge=0, le=1000, description="Multiplies every rate limit; 0 turns them off."
    )
    hash_threads: int | None = Field(
        default=None, ge=1, le=64, description="Default: one more than cores."
    )

    @field_validator("smtp_url")
    @classmethod
    def _smtp(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            try:
                Smtp.parse(url.get_secret_value())
            except BadSmtpUrl as error:
                raise ValueError(str(error)) from None
        return url

    @field_validator("mail_from")
    @classmethod
    def _sender(cls, text: str) -> str:
        if "@" not in parseaddr(text)[1] or "\n" in text:
            raise ValueError("a sender is needed, like Aero2 <no-reply@example.com>")
        return text

    @field_validator("bootstrap_admin_email")
    @classmethod
    def _key(cls, text: str | None) -> str | None:
        return address_key(text) if text and text.strip() else None
