"""The metadata of clients that register themselves (RFC 7591 section 2, OpenID Connect Dynamic Client Registration
1.0 section 2): their names on the wire, and what they become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from common.contracts.client_registration import (
    InvalidClientMetadata,
    InvalidRedirectUri,
    InvalidSoftwareStatement,
    UnapprovedSoftwareStatement,
)
from common.contracts.clients import Client, ClientAuthMethod, ClientFields
from common.contracts.fields import Title, Uri
from common.contracts.keys import SigningAlg
from common.contracts.oauth_errors import OAuthError
from common.field_errors import FieldError, field_errors
from oidc import client_display, jose, json_web_keys, redirect_uris, scope_catalogue

MAX_URIS: Final = 20
"""Redirect URIs of a client. Agents register up to six."""
GRANT_TYPES: Final = ("authorization_code", "refresh_token")
"""Those that act for a user who is asked. Others that a client sends are left out."""
Text = Annotated[str, Field(max_length=200)]

SAME: Final = {
    "name": "client_name",
    "token_endpoint_auth_alg": "token_endpoint_auth_signing_alg",
    "id_token_alg": "id_token_signed_response_alg",
    "userinfo_alg": "userinfo_signed_response_alg",
    "backchannel_session_required": "backchannel_logout_session_required",
    "frontchannel_session_required": "frontchannel_logout_session_required",
} | {
    name: name
    for name in (
        *("redirect_uris", "post_logout_redirect_uris", "token_endpoint_auth_method", "jwks"),
        *("jwks_uri", "subject_type", "backchannel_logout_uri", "frontchannel_logout_uri"),
        *("initiate_login_uri", "default_max_age", "require_auth_time", "default_acr_values"),
        *("logo_uri", "client_uri", "policy_uri", "tos_uri", "contacts"),
    )
}
"""Our field of a client, and its name on the wire."""
WIRE: Final = {**SAME, "scopes": "scope", "sector_identifier": "sector_identifier_uri"}
KEPT: Final = ("software_id", "software_version", "sector_identifier_uri", "application_type")
"""Members that are stored as they came, because no field of a client holds them."""
CALLED_BY_US: Final = (
    *("backchannel_logout_uri", "backchannel_logout_session_required"),
    *("frontchannel_logout_uri", "frontchannel_logout_session_required"),
)
"""Members that `open` registration ignores: a stranger would tell us what to call when a user signs out."""


class ClientMetadata(BaseModel):
    """The metadata that a client sends. Unknown members are ignored (RFC 7591 section 2), and null is as good as absent."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    redirect_uris: list[Uri] = Field(default=[], max_length=MAX_URIS)
    post_logout_redirect_uris: list[Uri] = Field(default=[], max_length=MAX_URIS)
    token_endpoint_auth_method: ClientAuthMethod | None = None
    token_endpoint_auth_signing_alg: str | None = Field(default=None, max_length=10)
    grant_types: list[Text] = Field(default=["authorization_code"], max_length=20)
    response_types: list[Text] = Field(default=["code"], max_length=20)
    application_type: Literal["web", "native"] | None = None
    client_name: Title | None = None
    client_uri: Uri | None = None
    logo_uri: Uri | None = None
    policy_uri: Uri | None = None
    tos_uri: Uri | None = None
    contacts: list[Annotated[str, Field(max_length=254)]] = Field(default=[], max_length=20)
    scope: str | None = Field(default=None, max_length=10_000)
    jwks: dict[str, JsonValue] | None = None
    jwks_uri: Uri | None = None
    subject_type: Literal["public", "pairwise"] = "public"
    sector_identifier_uri: Uri | None = None
    id_token_signed_response_alg: SigningAlg = "RS256"
    userinfo_signed_response_alg: SigningAlg | None = None
    default_max_age: int | None = Field(default=None, ge=0, le=31_536_000)
    require_auth_time: bool = False
    default_acr_values: list[Text] = Field(default=[], max_length=20)
    initiate_login_uri: Uri | None = None
    backchannel_logout_uri: Uri | None = None
    backchannel_logout_session_required: bool = False
    frontchannel_logout_uri: Uri | None = None
    frontchannel_logout_session_required: bool = False
    software_id: Text | None = None
    software_version: Text | None = None


def read(metadata: Mapping[str, JsonValue], *, is_open: bool) -> ClientMetadata:
    """Reads what a client sent. Raises InvalidRedirectUri, InvalidClientMetadata, or an error for a software
    statement: without one that somebody trusts, it would prove nothing."""
    _refuse_statement(metadata.get("software_statement"))
    ignored = CALLED_BY_US if is_open else ()
    present = {
        name: value for name, value in metadata.items() if value is not None and name not in ignored
    }
    try:
        return ClientMetadata.model_validate(present)
    except ValidationError as error:
        raise refused(field_errors(error.errors(include_url=False, include_input=False))) from None


def _refuse_statement(statement: JsonValue) -> None:
    if statement is None:
        return
    try:
        jose.split(statement if isinstance(statement, str) else "")
    except json_web_keys.BadToken:
        raise InvalidSoftwareStatement("the software statement is not a signed JWT") from None
    raise UnapprovedSoftwareStatement


def refused(errors: list[FieldError]) -> OAuthError:
    """Returns the error for mistakes in the metadata. It names the first member, as the client spells it."""
    first = next((e for e in errors if _member(e["field"]) == "redirect_uris"), errors[0])
    names = first["field"].split(".")
    wire = ".".join([WIRE.get(names[0], names[0]), *names[1:]])
    kind = InvalidRedirectUri if names[0] == "redirect_uris" else InvalidClientMetadata
    return kind(f"{wire[:100]}: {first['message']}")


def _member(field: str) -> str:
    return field.partition(".")[0]


def type_of(metadata: ClientMetadata) -> Literal["web", "native"]:
    """Returns the type of the client. Most agents send no `application_type`, which would mean `web`, with redirect
    URIs that only apps on a device have. The URIs decide, then."""
    if any(redirect_uris.is_for_device(uri) for uri in metadata.redirect_uris):
        return "native"
    return metadata.application_type or "web"


def fields_of(
    metadata: ClientMetadata,
    *,
    scopes: list[str],
    method: ClientAuthMethod,
    type: Literal["web", "native"],
    sector: str | None,
) -> ClientFields:
    """Returns the client that the metadata describe. Its users are always asked for consent. Raises InvalidClientMetadata
    for grants or response types that we do not have."""
    grant_types = [name for name in GRANT_TYPES if name in metadata.grant_types]
    if "authorization_code" not in grant_types or "code" not in metadata.response_types:
        raise InvalidClientMetadata(
            "only the grant type authorization_code with the response type code is offered"
        )
    values: dict[str, Any] = {ours: getattr(metadata, wire) for ours, wire in SAME.items()}
    values["name"] = metadata.client_name or _name_of(metadata)
    values |= {"scopes": scopes, "grant_types": grant_types, "type": type}
    values |= {"token_endpoint_auth_method": method, "sector_identifier": sector}
    values |= {"require_pkce": True if method == "none" else None, "first_party": False}
    values["id_token_claims"] = "asked"  # a program that knows nothing of us expects no more
    try:
        return ClientFields.model_validate(values)
    except ValidationError as error:
        raise refused(field_errors(error.errors(include_url=False, include_input=False))) from None


def _name_of(metadata: ClientMetadata) -> str:
    """Returns a name for a client that sent none: where its users will be sent."""
    uris = metadata.redirect_uris
    return (client_display.target(uris[0]) if uris else "client")[:100]


def kept(metadata: ClientMetadata) -> dict[str, JsonValue]:
    """Returns what is stored beside the client's fields."""
    values = {name: getattr(metadata, name) for name in KEPT}
    return {name: value for name, value in values.items() if value is not None}


def wire_of(client: Client | ClientFields, stored: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Returns all registered metadata of a client, with their names on the wire."""
    values = client.model_dump(mode="json")
    members = {wire: values[ours] for ours, wire in SAME.items()}
    members |= {
        "grant_types": values["grant_types"],
        "response_types": ["code"],
        "application_type": "native" if client.type == "native" else "web",
        "scope": " ".join(client.scopes),
        **{name: value for name, value in stored.items() if name != "application_type"},
    }
    return {name: value for name, value in members.items() if value not in (None, [])}


def scopes_in(metadata: ClientMetadata) -> list[str]:
    """Returns the requested scopes, each once."""
    return scope_catalogue.parse(metadata.scope)
