"""Settings that every service has, read once from the environment in `__main__`."""

from __future__ import annotations

from functools import cached_property
from ipaddress import ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from common.crypto import BadKey, Keys
from common.database_url import mistake_of
from common.deployment_hosts import DeploymentHosts, Endpoint
from common.egress import Egress, Network
from common.secret_files import lines


class Settings(BaseSettings):
    """Environment variables `AERO2_<NAME>`. A secret has no default: start is refused without."""

    model_config = SettingsConfigDict(env_prefix="AERO2_", frozen=True, hide_input_in_errors=True)

    nats_url: str = Field(
        default="nats://127.0.0.1:4222", description="NATS server, or several separated by commas."
    )
    nats_user: str | None = Field(default=None, description="The service's own NATS user.")
    nats_password: SecretStr | None = Field(
        default=None, validate_default=True, description="Password of the NATS user."
    )
    nats_ca_file: str | None = Field(
        default=None,
        description="File with the certificate of the authority that the NATS servers' own certificates "
        "are from. With it, a connection to NATS without TLS is refused.",
    )
    master_key: SecretStr = Field(
        description="`id:base64-of-32-bytes`, several separated by commas. The first key is "
        "active, the others still verify and open. All other keys are derived from it."
    )
    public_url: str = Field(
        default="http://localhost:8080",
        description="The platform's origin. Applications answer on `<slug>.<its host>`. Scheme, "
        "domain and port of every link, cookie and issuer come from it, never from a request.",
    )
    log_level: str = Field(
        default="info", description="Least level that is logged, as JSON lines on standard output."
    )
    heartbeat: str | None = Field(
        default=None,
        description="File that the process touches every two seconds while it is well.",
    )
    metrics_host: str = Field(
        default="127.0.0.1",
        description="Address of the internal listener. It serves `/metrics` for Prometheus and, on "
        "the gateway, `/internal/…` for a TLS front. Never publish it.",
    )
    metrics_port: int = Field(
        default=9464,
        ge=0,
        le=65535,
        description="Port of the internal listener; 0: none. Each process exports the metrics that "
        "it maintains. Under `aero2 up` only the gateway listens. It answers for all processes, "
        "with the labels `service` and `replica`.",
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        description="If set, `/metrics` answers 401 without `Authorization: Bearer <token>`.",
    )
    metrics_folder: str | None = Field(
        default=None,
        description="Folder where processes of one machine offer their metrics on sockets, for its "
        "gateway to join. `aero2 up` sets it.",
    )
    replica: str = Field(
        default="0",
        pattern=r"^[A-Za-z0-9_-]{1,40}$",
        description="Name of this process among the replicas of its service in joined metrics. "
        "`aero2 up` sets it.",
    )
    concurrency: int = Field(
        default=100, ge=1, le=10_000, description="Calls that the service works on at once."
    )
    queue: int = Field(
        default=1000,
        ge=0,
        le=100_000,
        description="Calls that wait. A call beyond them is refused with `busy` at once.",
    )

    @field_validator("master_key")
    @classmethod
    def _strong(cls, key: SecretStr) -> SecretStr:
        try:
            Keys.parse(key.get_secret_value())
        except BadKey as error:
            raise ValueError(str(error)) from None
        return key

    @field_validator("nats_password")
    @classmethod
    def _with_user(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if bool(password) != bool(info.data.get("nats_user")):
            raise ValueError("AERO2_NATS_USER and a password belong together")
        return password

    @field_validator("nats_url")
    @classmethod
    def _any_server(cls, url: str) -> str:
        if not servers(url):
            raise ValueError("an address is needed, like nats://127.0.0.1:4222")
        return url

    @field_validator("public_url")
    @classmethod
    def _origin(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise ValueError("an origin is needed, like https://id.example.com")
        return f"{parts.scheme}://{parts.netloc.lower()}"

    @property
    def nats_servers(self) -> list[str]:
        return servers(self.nats_url)

    @cached_property
    def keys(self) -> Keys:
        return Keys.parse(self.master_key.get_secret_value())

    @property
    def scheme(self) -> str:
        return urlsplit(self.public_url).scheme

    @property
    def domain(self) -> str:
        """The platform's host with its port where that is not the scheme's default."""
        return urlsplit(self.public_url).netloc


def servers(url: str) -> list[str]:
    """The addresses in a list by comma."""
    return [part.strip() for part in url.split(",") if part.strip()]


class DatabaseSettings(Settings):
    """Of a service that owns tables."""

    database_url: SecretStr = Field(
        description="PostgreSQL DSN with the service's own database role, `aero2_<service>`."
    )
    relay_database_url: SecretStr = Field(
        description="DSN with the role `aero2_relay`: publishes the outbox of audit events."
    )
    pool_size: int = Field(
        default=10,
        ge=1,
        le=200,
        description="Database connections per process, plus 3 for the relay.",
    )
    stream_replicas: int = Field(
        default=1,
        ge=1,
        le=5,
        description="NATS servers that keep a copy of the audit stream. Used when a service "
        "creates the stream. With three servers: 3.",
    )

    @field_validator("*")
    @classmethod
    def _dsn(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, SecretStr) and (info.field_name or "").endswith("database_url"):
            dsns = lines(value.get_secret_value()) or [""]
            for mistake in filter(None, map(mistake_of, dsns)):
                raise ValueError(mistake)
        return value


class EgressSettings(Settings):
    """Of a service that calls servers outside."""

    egress_private: bool = Field(
        default=False,
        description="Lets outgoing calls reach private addresses and plain http: development only.",
    )
    egress_deny: Annotated[tuple[Network, ...], NoDecode] = Field(
        default=(),
        description="CIDRs that outgoing calls never reach, separated by commas. `168.63.129.16` "
        "is never called.",
    )

    gateway_address: str | None = Field(
        default=None,
        description="Address of the gateway inside the deployment: `host:port`, or an origin with "
        "`https://`. Calls to applications of this deployment, as identity providers of others, "
        "go there. Without it, they go to the public address.",
    )

    @field_validator("gateway_address")
    @classmethod
    def _endpoint(cls, text: str | None) -> str | None:
        if not text:
            return None
        Endpoint.parse(text)
        return text

    @field_validator("egress_deny", mode="before")
    @classmethod
    def _networks(cls, text: object) -> object:
        if not isinstance(text, str):
            return text
        return [ip_network(part.strip()) for part in text.split(",") if part.strip()]

    @property
    def egress(self) -> Egress:
        """Returns what outgoing calls may reach."""
        return Egress(self.egress_private, self.egress_deny, self._deployment)

    @property
    def _deployment(self) -> DeploymentHosts | None:
        if self.gateway_address is None:
            return None
        gateway = Endpoint.parse(self.gateway_address)
        return DeploymentHosts(Endpoint.parse(self.public_url), gateway)
