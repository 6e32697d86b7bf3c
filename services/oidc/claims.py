"""Claims about a user: by scope, by the `claims` parameter, by the client's own mapping."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from common.contracts.rights import Rights
from common.field_errors import FieldError, field_error
from oidc.queries.token_families import Organization, Profile
from oidc.scopes import CLAIMS

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
    ]
)
"""Claims that mean something to the verifier of a token: no mapping may write them. The standard
claims (`STANDARD`) and every other name that begins with `org_` belong to them as well."""
SOURCES: Final = {
    "user": frozenset(Profile.__dataclass_fields__),
    "org": frozenset(Organization.__dataclass_fields__),
    "rights": frozenset(Rights.model_fields),
}
"""What a mapping may draw from, and which fields of it."""
OPEN: Final = frozenset({"address", "public_metadata", "user_metadata"})
"""Of these fields, those that are JSON: a path may lead on into them."""
MAX_PATH: Final = 200
MOST: Final = 50
"""Claims of a mapping."""
ROOM: Final = 8_192
"""Bytes that mapped claims may add to one token or answer: our own limit for a token is 16 KiB."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What mappings may draw from."""

    user: Profile
    org: Organization | None = None
    rights: Rights | None = None


def of_scopes(
    profile: Profile, scopes: Iterable[str], further: Iterable[str] = ()
) -> dict[str, Any]:
    """OpenID Connect Core section 5.4; what the user has not told is left out."""
    wanted = [name for scope in scopes for name in CLAIMS.get(scope, ())] + list(further)
    return of_names(profile, wanted)


def of_names(profile: Profile, names: Iterable[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in names:
        if name == "updated_at":
            found[name] = int(profile.updated_at.timestamp())
        elif name == "email_verified":
            if profile.email is not None:
                found[name] = profile.email_verified
        elif name == "phone_number_verified":
            if profile.phone_number is not None:
                found[name] = profile.phone_number_verified
        elif name in STANDARD:
            value = getattr(profile, name)
            if value not in (None, "", {}):
                found[name] = value
    return found


STANDARD: Final = frozenset(name for names in CLAIMS.values() for name in names) - {"sub"}
"""OpenID Connect Core section 5.1."""


def asked(parameter: dict[str, Any] | None, place: str) -> list[str]:
    """Names that the `claims` parameter asks for in `id_token` or `userinfo` (section 5.5)."""
    members = (parameter or {}).get(place)
    return [name for name in members if name in STANDARD] if isinstance(members, dict) else []


def within_scopes(
    parameter: dict[str, Any] | None, granted: Iterable[str], givers: Mapping[str, Iterable[str]]
) -> tuple[dict[str, Any] | None, list[str]]:
    """Bounds the `claims` parameter by scopes (OpenID Connect Core sections 3.1.2.4, 5.5 and 17.1).

    `givers` are the client's scopes with the standard claims that each gives. Returns the parameter
    without the claims that none of them gives, and the scopes beyond `granted` that give the
    remaining ones: the user has to allow those as well.
    """
    if parameter is None:
        return None, []
    covered = {claim for name in granted for claim in givers.get(name, ())}
    further: list[str] = []
    bounded: dict[str, Any] = {}
    for place, members in parameter.items():
        bounded[place] = {}
        for claim, request in members.items():
            if claim in STANDARD and claim not in covered:
                giver = next((name for name, given in givers.items() if claim in given), None)
                if giver is None:
                    continue
                if giver not in further:
                    further.append(giver)
            bounded[place][claim] = request
    return bounded, further


def mapped(mapping: dict[str, Any], place: str, facts: Facts) -> dict[str, Any]:
    """The client's further claims for this place, in the order of the mapping. Left out is what is
    not there, and what finds no room any more."""
    found: dict[str, Any] = {}
    room = ROOM
    for name, source in mapping.items():
        path, places = _source(source)
        if reserved(name) or place not in places:
            continue
        value = _follow(facts, path.split("."))
        if value is None:
            continue
        size = len(name) + len(orjson.dumps(value))
        if size <= room:
            room -= size
            found[name] = value
    return found


def reserved(name: str) -> bool:
    """Whether a claim has a meaning that only the platform may state."""
    return name in RESERVED or name in STANDARD or name.startswith("org_")


def mapping_mistake(name: str, source: Any) -> FieldError | None:
    """Returns what is wrong with one entry of a mapping, or None."""
    field = f"claims_mapping.{name}"[:100]
    if reserved(name) or not name or len(name) > 100:
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
    if len(steps) > 2 and steps[1] not in OPEN:
        return field_error(field, "mapping_member_closed", member=steps[1])
    return None


def _source(source: Any) -> tuple[str, frozenset[str]]:
    if isinstance(source, str):
        return source, PLACES
    return str(source.get("from", "")), frozenset(source.get("in") or PLACES)


def _follow(facts: Facts, steps: list[str]) -> Any:
    """Along attributes of our own records, then through JSON; never through anything else."""
    record: Any = {"user": facts.user, "org": facts.org, "rights": facts.rights}.get(steps[0])
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
