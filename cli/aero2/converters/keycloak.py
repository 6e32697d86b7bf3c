"""Keycloak: a realm export with its users (`kc.sh export --realm R --users realm_file` or `different_files`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from aero2.converters import sources
from aero2.converters.findings import Converted
from aero2.converters.values import given, mapping, members, milliseconds, text

PROFILE: Final = {
    "locale": "locale",
    "phoneNumber": "phone_number",
    "picture": "picture",
    "website": "website",
    "nickname": "nickname",
    "middleName": "middle_name",
    "birthdate": "birthdate",
    "zoneinfo": "zoneinfo",
    "gender": "gender",
}
"""Attributes that its own mappers turn into claims of OpenID Connect."""


class UnknownCredential(ValueError):
    """A stored password that has no format of ours."""


def convert(files: list[Path]) -> Iterator[Converted]:
    """Yields the users of the files. Raises CommandError."""
    for file in files:
        yield from map(_user, sources.objects(file, members="users"))


def _user(record: sources.Record | None) -> Converted:
    if record is None:
        user = Converted("")
        user.miss("unreadable")
        return user
    old_id = text(record.get("id")) or text(record.get("username")) or ""
    attributes = mapping(record.get("attributes"))
    email = text(record.get("email"))
    profile = {ours: _first(attributes.pop(theirs, None)) for theirs, ours in PROFILE.items()}
    verified = _first(attributes.pop("phoneNumberVerified", None)) == "true"
    user = Converted(
        old_id,
        given(
            id=text(record.get("id")),
            email=email,
            email_verified=email is not None and record.get("emailVerified") is True,
            given_name=text(record.get("firstName")),
            family_name=text(record.get("lastName")),
            preferred_username=text(record.get("username")),
            phone_number_verified=verified and profile["phone_number"] is not None,
            disabled=record.get("enabled") is False,
            created_at=milliseconds(record.get("createdTimestamp")),
            private_metadata=given(attributes=attributes),
            **profile,
        ),
    )
    _credentials(user, members(record.get("credentials")))
    _left_behind(user, record)
    return user


def _first(value: Any) -> str | None:
    """Returns the first value of an attribute, which is a list."""
    return text(value[0]) if isinstance(value, list) and value else text(value)


def _left_behind(user: Converted, record: sources.Record) -> None:
    for identity in members(record.get("federatedIdentities")):
        user.miss("identity", text(mapping(identity).get("identityProvider")))
    if record.get("federationLink"):
        user.miss("identity", "user federation")
    if members(record.get("realmRoles")) or mapping(record.get("clientRoles")):
        user.miss("roles")
    if members(record.get("groups")):
        user.miss("groups")
    for action in members(record.get("requiredActions")):
        user.miss("required_action", text(action))


def _credentials(user: Converted, credentials: list[Any]) -> None:
    """Takes the password, wherever it is among the credentials."""
    for credential in map(mapping, credentials):
        kind = text(credential.get("type")) or "unknown"
        if kind != "password":
            user.miss("second_factor", kind)
            continue
        if "password_hash" in user.fields:
            continue
        try:
            user.fields["password_hash"] = _hash(credential)
        except UnknownCredential as error:
            user.miss("hash_refused", str(error))


def _hash(credential: dict[str, Any]) -> str:
    """Returns the hash in a format of the import. Its parts are JSON inside JSON, or, before Keycloak 8, members of
    the credential. Raises UnknownCredential."""
    secret = mapping(credential.get("secretData"))
    data = mapping(credential.get("credentialData"))
    value = text(secret.get("value")) or text(credential.get("hashedSaltedValue"))
    salt = text(secret.get("salt")) or text(credential.get("salt"))
    algorithm = text(data.get("algorithm")) or text(credential.get("algorithm")) or ""
    rounds = data.get("hashIterations") or credential.get("hashIterations")
    if not value or not salt or not isinstance(rounds, int | float):
        raise UnknownCredential(algorithm or "unknown")
    if algorithm in ("pbkdf2", "pbkdf2-sha256", "pbkdf2-sha512"):
        digest = algorithm.removeprefix("pbkdf2").removeprefix("-") or "sha1"
        return f"$pbkdf2-{digest}${int(rounds)}${salt}${value}"
    if algorithm == "argon2":
        return _argon2(mapping(data.get("additionalParameters")), int(rounds), salt, value)
    raise UnknownCredential(algorithm)


def _argon2(parameters: dict[str, Any], passes: int, salt: str, value: str) -> str:
    kind = _first(parameters.get("type")) or "id"
    version = {"1.0": 16, "1.3": 19}.get(_first(parameters.get("version")) or "1.3")
    memory, lanes = (_first(parameters.get(name)) for name in ("memory", "parallelism"))
    if version is None or memory is None or lanes is None:
        raise UnknownCredential("argon2")
    return (
        f"$argon2{kind}$v={version}$m={memory},t={passes},p={lanes}"
        f"${salt.rstrip('=')}${value.rstrip('=')}"
    )
