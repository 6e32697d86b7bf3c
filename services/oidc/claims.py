"""Claims about a user: by scope, by the `claims` parameter, and by the client's mapping."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from common.contracts.rights import Rights
from common.field_errors import FieldError, field_error
from oidc.queries.user_profiles import UserOrganization, UserProfile
from oidc.scope_catalogue import CLAIMS

PLACES: Final = frozenset({"id_token", "access_token", "userinfo"})
RESERVED: Final = frozenset(
    [
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "azp",
        "nonce",
        "auth_time",
        "at_hash",
        "c_hash",
        "s_hash",
        "acr",
        "amr",
        "sid",
        "client_id",
        "scope",
        "app_id",
        "grant_id",
        "epoch",
        "token_use",
        "org_id",
        "org_role",
        "org_permissions",
        "roles",
        "permissions",
        "userinfo_claims",
        "cnf",
        "act",
        "may_act",
        "events",
        "typ",
        "active",
        "username",
        "token_type",
        "guest",
        "authorization_details",
        "exchanged",
    ]
)
"""Claims that a token's verifier relies on. No mapping may set them.

The standard claims (`STANDARD`) and every name that begins with `org_` are reserved too.
"""
SOURCES: Final = {
    "user": frozenset(UserProfile.__dataclass_fields__),
    "org": frozenset(UserOrganization.__dataclass_fields__),
    "rights": frozenset(Rights.model_fields),
}
"""The first two steps of a mapping's path: a source, and a field of it."""
JSON_FIELDS: Final = frozenset({"address", "public_metadata", "user_metadata"})
"""Fields that are JSON objects. A path may go on into them."""
MAX_PATH: Final = 200
"""Characters."""
MAX_MAPPINGS: Final = 50
"""Claims in a mapping."""
MAX_MAPPED_BYTES: Final = 8_192
"""Bytes that mapped claims may add to a token or response. A token may have 16 KiB."""


@dataclass(frozen=True, slots=True)
class ClaimSources:
    """The sources of mappings. `org` and `rights` are None if no mapping needs them."""

    user: UserProfile
    org: UserOrganization | None = None
    rights: Rights | None = None


def for_scopes(
    profile: UserProfile, scopes: Iterable[str], more_names: Iterable[str] = ()
) -> dict[str, Any]:
    """Returns the claims that the scopes give (OpenID Connect Core section 5.4).

    `more_names` are added to them. Claims without a value are left out.
    """
    names = [name for scope in scopes for name in CLAIMS.get(scope, ())] + list(more_names)
    return for_names(profile, names)


def for_names(profile: UserProfile, names: Iterable[str]) -> dict[str, Any]:
    """Returns the standard claims of these names that the user has."""
    values: dict[str, Any] = {}
    for name in names:
        if name == "updated_at":
            values[name] = int(profile.updated_at.timestamp())
        elif name == "email_verified":
            if profile.email is not None:
                values[name] = profile.email_verified
        elif name == "phone_number_verified":
            if profile.phone_number is not None:
                values[name] = profile.phone_number_verified
        elif name in STANDARD:
            value = getattr(profile, name)
            if value not in (None, "", {}):
                values[name] = value
    return values


STANDARD: Final = frozenset(name for names in CLAIMS.values() for name in names) - {"sub"}
"""OpenID Connect Core section 5.1."""


def requested(parameter: dict[str, Any] | None, place: str) -> list[str]:
    """Returns the standard claims that the `claims` parameter requests.

    `place` is `id_token` or `userinfo` (OpenID Connect Core section 5.5).
    """
    members = (parameter or {}).get(place)
    return [name for name in members if name in STANDARD] if isinstance(members, dict) else []


def within_scopes(
    parameter: dict[str, Any] | None,
    granted: Iterable[str],
    claims_by_scope: Mapping[str, Iterable[str]],
) -> tuple[dict[str, Any] | None, list[str]]:
    """Limits the `claims` parameter to claims that the client's scopes give.

    `claims_by_scope` are the client's scopes with the standard claims that each gives. Returns the
    parameter without claims that none of them gives, and the further scopes that it needs. The user
    has to allow these too (OpenID Connect Core sections 3.1.2.4, 5.5 and 17.1).
    """
    if parameter is None:
        return None, []
    covered = {claim for name in granted for claim in claims_by_scope.get(name, ())}
    more_scopes: list[str] = []
    limited: dict[str, Any] = {}
    for place, members in parameter.items():
        limited[place] = {}
        for claim, request in members.items():
            if claim in STANDARD and claim not in covered:
                scope = next(
                    (name for name, names in claims_by_scope.items() if claim in names), None
                )
                if scope is None:
                    continue
                if scope not in more_scopes:
                    more_scopes.append(scope)
            limited[place][claim] = request
    return limited, more_scopes


def from_mapping(mapping: dict[str, Any], place: str, sources: ClaimSources) -> dict[str, Any]:
    """Returns the mapped claims for this place, in the order of the mapping.

    Claims without a value are left out, and so are claims that would exceed MAX_MAPPED_BYTES.
    """
    values: dict[str, Any] = {}
    room = MAX_MAPPED_BYTES
    for name, source in mapping.items():
        path, places = _source(source)
        if is_reserved(name) or place not in places:
            continue
        value = _follow(sources, path.split("."))
        if value is None:
            continue
        size = len(name) + len(orjson.dumps(value))
        if size <= room:
            room -= size
            values[name] = value
    return values


def is_reserved(name: str) -> bool:
    """Returns whether only Aero2 itself may set this claim."""
    return name in RESERVED or name in STANDARD or name.startswith("org_")


def mapping_mistake(name: str, source: Any) -> FieldError | None:
    """Returns what is wrong with one entry of a mapping, or None."""
    field = f"claims_mapping.{name}"[:100]
    if is_reserved(name) or not name or len(name) > 100:
        return field_error(field, "mapping_claim_refused")
    if not isinstance(source, (str, dict)):
        return field_error(field, "mapping_source_malformed")
    if isinstance(source, dict) and (
        not source.keys() <= {"from", "in"}
        or not isinstance(source.get("from"), str)
        or not isinstance(source.get("in", [""]), list)
        or not set(map(str, source.get("in", PLACES))) <= PLACES
        or source.get("in") == []
    ):
        return field_error(field, "mapping_object_malformed")
    path, _ = _source(source)
    steps = path.split(".")
    if steps[0] not in SOURCES or len(steps) < 2 or len(path) > MAX_PATH:
        return field_error(field, "mapping_path_unknown")
    if steps[1] not in SOURCES[steps[0]]:
        return field_error(field, "mapping_member_unknown", source=steps[0], member=steps[1][:40])
    if len(steps) > 2 and steps[1] not in JSON_FIELDS:
        return field_error(field, "mapping_member_closed", member=steps[1])
    return None


def _source(source: Any) -> tuple[str, frozenset[str]]:
    if isinstance(source, str):
        return source, PLACES
    return str(source.get("from", "")), frozenset(source.get("in") or PLACES)


def _follow(sources: ClaimSources, steps: list[str]) -> Any:
    """Returns the value at a path: a field of a source, then members of JSON objects only."""
    record: Any = {"user": sources.user, "org": sources.org, "rights": sources.rights}.get(steps[0])
    if record is None or len(steps) < 2 or steps[1] not in SOURCES[steps[0]]:
        return None
    value = getattr(record, steps[1])
    for step in steps[2:]:
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    if hasattr(value, "timestamp"):
        return int(value.timestamp())
    return value
