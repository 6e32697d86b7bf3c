"""Settings of the identity service."""

from __future__ import annotations

from email.utils import parseaddr

from pydantic import Field, SecretStr, field_validator

from common.address_keys import address_key
from common.configured_providers import ConfiguredProvider, parse_list
from common.operator_rules import OPERATOR_MFA, OperatorMfa
from common.settings import DatabaseSettings, EgressSettings
from identity.geoip import GeoipDatabase
from identity.smtp import BadSmtpUrl, Smtp


class Settings(DatabaseSettings, EgressSettings):
    sweep_database_url: SecretStr = Field(
        description="DSN with the role `aero2_sweep`: deletes what has expired."
    )
    mail_database_url: SecretStr = Field(
        description="DSN with the role `aero2_mail`: delivers mail."
    )
    search_database_url: SecretStr = Field(
        description="DSN with the role `aero2_search`: finds the users of an address for an operator."
    )
    smtp_url: SecretStr | None = Field(
        default=None,
        description="Mail server: `smtp://user:password@host:port?tls=none|starttls|tls`. Without "
        "it, mail waits in the database.",
    )
    mail_from: str = Field(
        default="Aero2 <no-reply@localhost>", description="Sender of every mail."
    )
    bootstrap_admin_email: str | None = Field(
        default=None,
        description="This address becomes operator at its first sign-in, once it is verified.",
    )
    operator_mfa: OperatorMfa = Field(default="required", description=OPERATOR_MFA)
    breach_url: str = Field(
        default="https://api.pwnedpasswords.com/range/",
        description="Range endpoint with k-anonymity, for applications with "
        "`password_breach_check`.",
    )
    limit_scale: float = Field(
        default=1.0,
        ge=0,
        le=1000,
        description="Multiplies every limit, of signing in and against floods. 0 turns them off, "
        "for load tests.",
    )
    dashboard_idps: str = Field(
        default="",
        description="Identity providers for the Dashboard: `preset:client_id:secret_file`, separated "
        "by commas, with absolute paths. They are created when the service starts, or get the "
        "client and the secret that are configured now.",
    )
    geoip_file: str | None = Field(
        default=None,
        description="Database of places in MaxMind's City format (`.mmdb`). With it, sessions and "
        "mails about new devices show a city. An absolute path; read when the service starts.",
    )
    hash_threads: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="Threads that hash passwords; each takes 19 MiB. Default: one more than "
        "the cores, at most 9.",
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

    @field_validator("dashboard_idps")
    @classmethod
    def _providers(cls, text: str) -> str:
        parse_list(text)
        return text

    @property
    def dashboard_providers(self) -> tuple[ConfiguredProvider, ...]:
        """Returns the providers, with the secrets that the files hold now."""
        return parse_list(self.dashboard_idps)

    @field_validator("geoip_file")
    @classmethod
    def _readable(cls, path: str | None) -> str | None:
        if not path:
            return None
        GeoipDatabase.open(path)
        return path

    @field_validator("bootstrap_admin_email")
    @classmethod
    def _key(cls, text: str | None) -> str | None:
        return address_key(text) if text and text.strip() else None
