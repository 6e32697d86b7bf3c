"""Makes a user of another system fit the format of an import: what is not valid here is taken off and noted, so that
one bad field loses no user."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from pydantic import ValidationError

from aero2.converters.findings import Converted
from common.contracts.user_import import TransferredUser
from identity import imported_hashes, metadata

UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
METADATA: Final = ("public_metadata", "private_metadata", "user_metadata")


def fit(user: Converted, system: str) -> None:
    """Takes off what an import would refuse, and notes it. The id of the other system is kept in the private
    metadata, and as the id if it is a UUID."""
    fields = user.fields
    if not _can_be_kept(fields.get("id")):
        fields.pop("id", None)
    if user.left_out:
        return
    if "email" not in fields and "id" not in fields:
        user.miss("no_address")
        return
    _drop_future(user)
    _drop_large_metadata(user, system)
    _drop_invalid(user)
    if user.left_out:
        return
    for verified, what in (("email_verified", "email"), ("phone_number_verified", "phone_number")):
        if what not in fields:
            fields.pop(verified, None)
    _check_hash(user)


def _can_be_kept(id: str | None) -> bool:
    return bool(id) and UUID.fullmatch(str(id)) is not None and len(set(str(id)) - {"-"}) > 1


def _drop_future(user: Converted) -> None:
    try:
        created = datetime.fromisoformat(user.fields.get("created_at", ""))
    except ValueError:
        return
    if (created if created.tzinfo else created.replace(tzinfo=UTC)) > datetime.now(UTC):
        _drop(user, "created_at")


def _drop_large_metadata(user: Converted, system: str) -> None:
    """The limit holds for each kind of metadata. A note of where the user came from is added to the private ones."""
    origin = {"imported": {"from": system, "id": user.old_id}}
    user.fields["private_metadata"] = user.fields.get("private_metadata", {}) | origin
    for kind in METADATA:
        if kind in user.fields and not _is_kept(user.fields[kind]):
            _drop(user, kind)
    if _is_kept(origin):
        user.fields.setdefault("private_metadata", origin)


def _is_kept(data: dict[str, Any]) -> bool:
    try:
        return len(orjson.dumps(data)) <= metadata.MOST
    except TypeError:
        return False  # a number beyond 64 bits, or a text that is not Unicode


def _drop_invalid(user: Converted) -> None:
    """Takes off each field that the contract refuses."""
    try:
        TransferredUser.model_validate(user.fields)
    except ValidationError as error:
        refused = {
            str(one["loc"][0]) for one in error.errors(include_url=False, include_input=False)
        }
        if "email" in refused:
            user.miss("address_refused")
            return
        for name in sorted(refused):
            _drop(user, name)


def _drop(user: Converted, name: str) -> None:
    user.fields.pop(name, None)
    user.miss("field_refused", name)


def _check_hash(user: Converted) -> None:
    stored = user.fields.get("password_hash")
    refusal = imported_hashes.refusal(stored) if stored else None
    if refusal is not None:
        user.fields.pop("password_hash")
        user.miss("hash_refused", refusal.code)
    elif not stored and not any(finding.code == "hash_refused" for finding in user.findings):
        user.miss("no_password")
