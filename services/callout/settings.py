"""Settings of the auth callout."""

from __future__ import annotations

import re
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import NoDecode

from common.address_keys import host_key
from common.ids import is_app_id
from common.nkeys import BadNatsKey, NatsKey
from common.settings import Settings, servers

ACCOUNT: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
DEFAULT_PORT: Final = 4222
LOOPBACK: Final = {"localhost": "127.0.0.1", "::1": "127.0.0.1"}


class CalloutSettings(Settings):
    """The settings of the process that a customer's NATS server asks. It reads no table, so it needs no
    database and no master key."""

    master_key: SecretStr = Field(
        default=SecretStr(""), description=Settings.model_fields["master_key"].description
    )
    callout_servers: str = Field(
        description="NATS servers that ask who connects, separated by commas. Never those of "
        "AERO2_NATS_URL."
    )
    callout_user: str = Field(
        default="aero2", description="User in the callout account of those servers."
    )
    callout_password: SecretStr = Field(description="Password of that user.")
    callout_ca_file: str | None = Field(
        default=None,
        description="File with the certificate of the authority of those servers. With it, a "
        "connection without TLS is refused.",
    )
    callout_issuer_seed: SecretStr = Field(
        description="Seed of the account key that signs the answers: `SA…`."
    )
    callout_xkey_seed: SecretStr = Field(
        description="Seed of the curve key to which those servers encrypt their requests: `SX…`."
    )
    callout_accounts: Annotated[dict[str, str], NoDecode] = Field(
        description="Applications that may connect, and the NATS account of each: "
        "`<application id>=<account>`, separated by commas."
    )
    callout_lifetime: int = Field(
        default=3600,
        ge=60,
        le=86_400,
        description="Seconds after which a connection must authenticate again, at most. A token that "
        "expires sooner ends it sooner.",
    )
    callout_subscriptions: int = Field(
        default=1000, ge=1, le=1_000_000, description="Subscriptions of one connection."
    )
    callout_payload: int = Field(
        default=-1,
        ge=-1,
        le=67_108_864,
        description="Bytes of one message. -1: as many as the server takes.",
    )
    callout_connects_per_minute: int = Field(
        default=60,
        ge=1,
        le=100_000,
        description="Connections that one user, client or key may begin in a minute, at one process.",
    )

    @field_validator("master_key")
    @classmethod
    def _strong(cls, key: SecretStr) -> SecretStr:
        """Accepts any: it is not used."""
        return key

    @field_validator("callout_accounts", mode="before")
    @classmethod
    def _pairs(cls, text: object) -> object:
        if not isinstance(text, str):
            return text
        pairs = [part.strip().partition("=") for part in text.split(",") if part.strip()]
        return {app_id.strip(): account.strip() for app_id, _, account in pairs}

    @field_validator("callout_accounts")
    @classmethod
    def _one_each(cls, accounts: dict[str, str]) -> dict[str, str]:
        if not accounts:
            raise ValueError("at least one `<application id>=<account>` is needed")
        for app_id, account in accounts.items():
            if not is_app_id(app_id):
                raise ValueError(f"{app_id} is not the id of an application")
            if not ACCOUNT.fullmatch(account):
                raise ValueError(f"{account!r} is not the name of an account")
        if len(set(accounts.values())) < len(accounts):
            raise ValueError("two applications cannot share an account")
        return accounts

    @field_validator("callout_issuer_seed", "callout_xkey_seed")
    @classmethod
    def _seed(cls, seed: SecretStr, info: ValidationInfo) -> SecretStr:
        kind = "curve" if info.field_name == "callout_xkey_seed" else "account"
        try:
            NatsKey.parse(seed.get_secret_value().strip(), kind)  # type: ignore[arg-type]
        except BadNatsKey as error:
            raise ValueError(str(error)) from None
        return seed

    @model_validator(mode="after")
    def _other_servers(self) -> CalloutSettings:
        if _places(self.callout_servers) & _places(self.nats_url):
            raise ValueError("AERO2_CALLOUT_SERVERS names a server of AERO2_NATS_URL")
        return self

    @property
    def issuer(self) -> NatsKey:
        return NatsKey.parse(self.callout_issuer_seed.get_secret_value().strip(), "account")

    @property
    def xkey(self) -> NatsKey:
        return NatsKey.parse(self.callout_xkey_seed.get_secret_value().strip(), "curve")


def _places(url: str) -> set[tuple[str, int]]:
    """Returns host and port of each server."""
    places = set()
    for address in servers(url):
        parts = urlsplit(address if "://" in address else f"nats://{address}")
        host = host_key(parts.hostname or "")
        places.add((LOOPBACK.get(host, host), parts.port or DEFAULT_PORT))
    return places
