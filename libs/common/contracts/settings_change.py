"""Reading, checking and changing the settings of an application."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from common import schema_cost
from common.contracts.app_settings import AppSettings, AuthMethod, Origin, PageTexts
from common.contracts.base import Request
from common.contracts.fields import EmailDomain, PublicText, PublicTitle, TimeZone
from common.field_errors import value_error

SCHEMA_BYTES: Final = 16_384


SCHEMA_DEPTH: Final = 16


DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"


UNSAFE: Final = re.compile(r"[\x00-\x20\x7f\"'<>\\`]")
"""Never in a URL that a page, a mail or a style sheet will carry."""


DEFAULT_PORT: Final = {"https": ":443", "http": ":80"}


def is_loopback(host: str) -> bool:
    """Returns whether a host is this machine. Plain http is allowed for these hosts only, because it
    never leaves the machine."""
    return host in ("localhost", "127.0.0.1", "[::1]", "::1") or host.endswith(".localhost")


def _https(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        raise value_error("not_a_url") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise value_error("url_not_https")
    if not host or UNSAFE.search(url) or not url.isascii():
        raise value_error("not_a_url")
    if parts.username is not None or parts.password is not None:
        raise value_error("url_with_credentials")
    return url


def _color(text: str) -> str:
    found = re.fullmatch(r"#([0-9a-f]{3}|[0-9a-f]{6})", text.lower())
    if found is None:
        raise value_error("not_a_color")
    digits = found[1]
    return "#" + (digits if len(digits) == 6 else "".join(digit * 2 for digit in digits))


def _lower(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def _origin(text: str) -> str:
    scheme, _, rest = text.partition("://")
    if scheme == "http" and not is_loopback(rest.partition(":")[0]):
        raise value_error("origin_not_https")
    if rest.endswith(DEFAULT_PORT[scheme]):
        raise value_error("origin_with_default_port")
    if ".." in rest or rest.startswith((".", "-")):
        raise value_error("not_an_origin")
    return text


def _schema(schema: dict[str, Any]) -> dict[str, Any]:
    import jsonschema_rs  # only for who writes one

    if len(repr(schema)) > SCHEMA_BYTES:
        raise value_error("schema_too_large", maximum=SCHEMA_BYTES)
    _small_and_local(schema, SCHEMA_DEPTH)
    if schema.get("$schema", DRAFT) not in schema_cost.DRAFTS:
        raise value_error("schema_invalid", place="$schema")
    try:
        jsonschema_rs.meta.validate({**schema, "$schema": DRAFT})
    except (jsonschema_rs.ValidationError, ValueError) as error:
        path = getattr(error, "instance_path", [])
        place = "/".join(str(part) for part in path) or "#"
        raise value_error("schema_invalid", place=place) from None
    if schema.get("type", "object") != "object":
        raise value_error("schema_not_of_objects")
    schema_cost.evaluations(schema)
    return schema


NAMED: Final = frozenset({"properties", "$defs", "definitions", "dependentSchemas"})
"""Keywords whose members are named by the author, each holding a schema."""


DATA: Final = frozenset({"const", "default", "enum", "examples"})


def _small_and_local(value: Any, depth: int, *, named: bool = False, root: bool = True) -> None:
    """References are followed inside the schema only; expressions that could run for ever are
    not accepted, since users choose what is matched against them."""
    if depth == 0:
        raise value_error("schema_too_deep")
    if isinstance(value, list):
        for part in value:
            _small_and_local(part, depth - 1, root=False)
    if not isinstance(value, dict):
        return
    for name, part in value.items():
        if named:
            _small_and_local(part, depth - 1, root=False)
        elif name in ("$ref", "$dynamicRef") and not str(part).startswith("#"):
            raise value_error("schema_foreign_reference")
        elif name in ("pattern", "patternProperties"):
            raise value_error("schema_keyword_refused", keyword=name)
        elif name == "$id" and not root:
            raise value_error("schema_inner_id")
        elif name not in DATA:
            _small_and_local(part, depth - 1, named=name in NAMED, root=False)


HttpsUrl = Annotated[str, Field(max_length=2000), AfterValidator(_https)]


Color = Annotated[str, Field(max_length=7), AfterValidator(_color)]


NewOrigin = Annotated[Origin, AfterValidator(_origin), BeforeValidator(_lower)]


MetadataSchema = Annotated[dict[str, Any], AfterValidator(_schema)]


class NewPageTexts(PageTexts):
    """Your own texts on the pages, in one language. Texts that you leave out stay the built-in
    ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sign_in_heading: PublicTitle | None = Field(default=None, description="Replaces `Sign in`.")
    sign_in_text: PublicText | None = Field(default=None, description="Appears below the heading.")
    sign_up_heading: PublicTitle | None = Field(
        default=None, description="Replaces `Create an account`."
    )
    sign_up_text: PublicText | None = Field(default=None, description="Appears below the heading.")
    signed_out_text: PublicText | None = Field(
        default=None, description="Appears after the text of the page that confirms the sign-out."
    )
    footer_text: PublicText | None = Field(
        default=None, description="Appears at the bottom of every page."
    )


class SettingsChange(AppSettings):
    """Settings to change. Settings that you leave out stay as they are. `null` restores a default.
    Unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    allowed_email_domains: list[EmailDomain] = Field(default=[], max_length=1000)
    blocked_email_domains: list[EmailDomain] = Field(default=[], max_length=1000)
    allowed_origins: list[NewOrigin] = Field(
        default=[],
        max_length=100,
        description="Browser origins that can call the API (CORS): scheme, host and port.",
    )
    time_zone: TimeZone = "UTC"
    user_metadata_schema: MetadataSchema | None = None
    public_metadata_schema: MetadataSchema | None = None
    private_metadata_schema: MetadataSchema | None = None
    page_texts: dict[Literal["en", "de"], NewPageTexts] = Field(  # type: ignore[assignment]  # stricter
        default={},
        description="Your own texts on the pages, by language. Plain text, without links.",
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_the_default(cls, sent: Any) -> Any:
        """`null` returns a setting to its default; where it is a value, it is the default too."""
        if not isinstance(sent, dict):
            return sent
        defaults = {name: field.get_default() for name, field in cls.model_fields.items()}
        return {
            name: defaults[name] if value is None and name in defaults else value
            for name, value in sent.items()
        }

    @field_validator("auth_methods")
    @classmethod
    def _once(cls, methods: list[AuthMethod]) -> list[AuthMethod]:
        if len(set(methods)) != len(methods):
            raise value_error("repeated_entry")
        return methods

    @field_validator("captcha")
    @classmethod
    def _reachable(cls, captcha: Any) -> Any:
        if captcha is not None:
            _https(captcha.verify_url)
            if captcha.script_url is not None:
                _https(captcha.script_url)
        return captcha


class GetSettings(
    Request[AppSettings], subject="tenancy.settings.get", needs="settings:read", safe=True
):
    """Returns all settings of the application, including defaults."""


class UpdateSettings(
    Request[AppSettings],
    subject="tenancy.settings.update",
    needs="settings:write",
    conditional=True,
):
    """Changes settings of the application and returns all of them."""

    changes: SettingsChange
