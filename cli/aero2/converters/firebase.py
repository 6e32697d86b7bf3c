"""Firebase Authentication: `firebase auth:export users.json --format=json`, and the parameters of its hashes
(Authentication → Users → Password hash parameters)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aero2.converters import sources
from aero2.converters.findings import Converted
from aero2.converters.values import given, mapping, members, milliseconds, text
from aero2.failures import CommandError

PARAMETER: Final = re.compile(
    r"\b(algorithm|base64_signer_key|base64_salt_separator|rounds|mem_cost)\s*[:=]\s*\"?([^\s,\"}]+)"
)


@dataclass(frozen=True)
class HashParameters:
    """The parameters that all hashes of one project share. The texts are base64, as Firebase shows them."""

    signer_key: str = field(repr=False)
    salt_separator: str
    rounds: int
    mem_cost: int


def read_parameters(file: Path) -> HashParameters:
    """Reads the block `hash_config` that the console shows. Raises CommandError."""
    parameters = dict(PARAMETER.findall(file.read_text()))
    if parameters.get("algorithm", "SCRYPT").upper() != "SCRYPT":
        raise CommandError(f"{file}: the algorithm is not SCRYPT.")
    try:
        return HashParameters(
            parameters["base64_signer_key"],
            parameters["base64_salt_separator"],
            int(parameters["rounds"]),
            int(parameters["mem_cost"]),
        )
    except KeyError as missing:
        raise CommandError(f"{file} has no {missing.args[0]}.") from None
    except ValueError:
        raise CommandError(f"{file}: rounds and mem_cost are numbers.") from None


def convert(files: list[Path], parameters: HashParameters | None) -> Iterator[Converted]:
    """Yields the users of the files; without parameters of the hashes, they have no passwords. Raises
    CommandError."""
    for file in files:
        if sources.is_csv(file):
            raise CommandError("Export with --format=json: the CSV file has no custom claims.")
        for record in sources.objects(file, members="users"):
            yield _user(record, parameters)


def _user(record: sources.Record | None, parameters: HashParameters | None) -> Converted:
    if record is None:
        user = Converted("")
        user.miss("unreadable")
        return user
    email, phone = text(record.get("email")), text(record.get("phoneNumber"))
    user = Converted(
        text(record.get("localId")) or "",
        given(
            email=email,
            email_verified=email is not None and record.get("emailVerified") is True,
            name=text(record.get("displayName")),
            picture=text(record.get("photoUrl")),
            phone_number=phone,
            phone_number_verified=phone is not None,  # it signs in by a message to this number
            disabled=record.get("disabled") is True,
            created_at=milliseconds(record.get("createdAt")),
            public_metadata=mapping(record.get("customAttributes")),
        ),
    )
    _password(user, record, parameters)
    for account in map(mapping, members(record.get("providerUserInfo"))):
        if account.get("providerId") not in ("password", "phone"):
            user.miss("identity", text(account.get("providerId")))
    if members(record.get("mfaInfo")):
        user.miss("second_factor")
    return user


def _password(user: Converted, record: sources.Record, parameters: HashParameters | None) -> None:
    key, salt = text(record.get("passwordHash")), text(record.get("salt"))
    if key is None:
        return
    if parameters is None:
        user.miss("hash_refused", "no --hash-config")
        return
    user.fields["password_hash"] = (
        f"$firebase-scrypt$ln={parameters.mem_cost},r={parameters.rounds},ss={parameters.salt_separator}"
        f",sk={parameters.signer_key}${salt or ''}${key}"
    )
