"""Clerk: the CSV file of its dashboard (clerk.com/docs/guides/development/migrating/overview), or JSON of its API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from aero2.converters import sources
from aero2.converters.findings import Converted
from aero2.converters.values import given, mapping, milliseconds, moment, text

PLAIN: Final = {
    "bcrypt",
    "argon2i",
    "argon2id",
    "argon2",
    "pbkdf2_sha256_django",
    "scrypt_werkzeug",
    "ldap_ssha",
    "bcrypt_sha256_django",
}
"""Hashers whose digests an import takes as they are. Its other formats of PBKDF2 are not clear from the digest."""


def convert(files: list[Path]) -> Iterator[Converted]:
    """Yields the users of the files. Raises CommandError."""
    for file in files:
        if sources.is_csv(file):
            yield from map(_row, sources.rows(file))
        else:
            yield from map(_object, sources.objects(file, members="data"))


def _row(row: sources.Record) -> Converted:
    verified, unverified = (
        _listed(row, kind, "email_addresses") for kind in ("verified", "unverified")
    )
    user = Converted(text(row.get("id")) or "")
    email = text(row.get("primary_email_address")) or next(iter([*verified, *unverified]), None)
    phones = _listed(row, "verified", "phone_numbers")
    phone = text(row.get("primary_phone_number")) or next(iter(phones), None)
    user.fields = given(
        email=email,
        email_verified=email in verified,
        given_name=text(row.get("first_name")),
        family_name=text(row.get("last_name")),
        preferred_username=text(row.get("username")),
        phone_number=phone,
        phone_number_verified=phone is not None and phone in phones,
        created_at=moment(row.get("created_at")),
        public_metadata=mapping(row.get("public_metadata")),
        private_metadata=mapping(row.get("private_metadata")),
        user_metadata=mapping(row.get("unsafe_metadata")),
    )
    _further(
        user, [*verified, *unverified], [*phones, *_listed(row, "unverified", "phone_numbers")]
    )
    _password(user, text(row.get("password_digest")), text(row.get("password_hasher")))
    if text(row.get("totp_secret")):
        user.miss("second_factor", "totp")
    return user


def _listed(row: sources.Record, kind: str, of: str) -> list[str]:
    return re.findall(r"[^\s,;|]+", text(row.get(f"{kind}_{of}")) or "")


def _object(record: sources.Record | None) -> Converted:
    """Reads a user as Clerk's API has it (object `user`)."""
    if record is None:
        user = Converted("")
        user.miss("unreadable")
        return user
    email, addresses = _primary(record, "email_address")
    phone, phones = _primary(record, "phone_number")
    user = Converted(
        text(record.get("id")) or "",
        given(
            email=email.get("email_address"),
            email_verified=_is_verified(email),
            given_name=text(record.get("first_name")),
            family_name=text(record.get("last_name")),
            preferred_username=text(record.get("username")),
            picture=text(record.get("image_url")),
            phone_number=phone.get("phone_number"),
            phone_number_verified=bool(phone) and _is_verified(phone),
            disabled=record.get("banned") is True or record.get("locked") is True,
            created_at=milliseconds(record.get("created_at")),
            public_metadata=mapping(record.get("public_metadata")),
            private_metadata=mapping(record.get("private_metadata")),
            user_metadata=mapping(record.get("unsafe_metadata")),
        ),
    )
    _further(user, addresses, phones)
    _password(user, text(record.get("password_digest")), text(record.get("password_hasher")))
    for account in record.get("external_accounts") or []:
        user.miss("identity", text(mapping(account).get("provider")))
    for flag, kind in (("totp_enabled", "totp"), ("backup_code_enabled", "backup codes")):
        if record.get(flag) is True:
            user.miss("second_factor", kind)
    return user


def _primary(record: sources.Record, noun: str) -> tuple[dict[str, Any], list[Any]]:
    entries = [mapping(entry) for entry in record.get(f"{noun}es", record.get(f"{noun}s")) or []]
    chosen = record.get(f"primary_{noun}_id")
    first = next((entry for entry in entries if entry.get("id") == chosen), None)
    return first or next(iter(entries), {}), entries


def _is_verified(entry: dict[str, Any]) -> bool:
    return mapping(entry.get("verification")).get("status") == "verified"


def _further(user: Converted, addresses: list[Any], phones: list[Any]) -> None:
    if len(addresses) > 1:
        user.miss("further_address")
    if len(phones) > 1:
        user.miss("further_phone_number")


def _password(user: Converted, digest: str | None, hasher: str | None) -> None:
    if digest is None:
        return
    if hasher is None or hasher in PLAIN:
        user.fields["password_hash"] = digest
    elif hasher == "scrypt_firebase":
        _firebase(user, digest)
    else:
        user.miss("hash_refused", hasher)


def _firebase(user: Converted, digest: str) -> None:
    """Reads `hash$salt$signer key$salt separator$rounds$memory cost`."""
    parts = digest.split("$")
    if len(parts) == 6:
        key, salt, signer_key, separator, rounds, cost = parts
        user.fields["password_hash"] = (
            f"$firebase-scrypt$ln={cost},r={rounds},ss={separator},sk={signer_key}${salt}${key}"
        )
    else:
        user.miss("hash_refused", "scrypt_firebase")
