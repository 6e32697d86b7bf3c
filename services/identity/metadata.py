"""What applications keep about their users, held to the application's own JSON schemas."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import jsonschema_rs
import orjson

from common.contracts.profiles import MetadataInvalid
from common.contracts.tenancy import AppSettings

MOST: Final = 16_384
"""Bytes of JSON."""
KINDS: Final = ("public_metadata", "private_metadata", "user_metadata")


def check(settings: AppSettings, given: dict[str, Any]) -> None:
    """`given` may hold any of the three. Raises MetadataInvalid naming each fault's place."""
    errors: list[dict[str, str]] = []
    for kind in KINDS:
        data = given.get(kind)
        if data is None:
            continue
        if len(orjson.dumps(data)) > MOST:
            errors.append({"field": kind, "message": f"at most {MOST} bytes"})
            continue
        schema = getattr(settings, f"{kind}_schema")
        if schema is not None:
            errors += _faults(kind, orjson.dumps(schema, option=orjson.OPT_SORT_KEYS), data)
    if errors:
        raise MetadataInvalid(errors=errors)


def _faults(kind: str, schema: bytes, data: dict[str, Any]) -> list[dict[str, str]]:
    validator = _validator(schema)
    if validator is None:
        return [{"field": kind, "message": "the application's schema cannot be used"}]
    found = []
    for error in validator.iter_errors(data):
        place = ".".join([kind, *(str(part) for part in error.instance_path)])
        found.append({"field": place, "message": _reason(error)})
        if len(found) == 20:
            break
    return found


def _reason(error: jsonschema_rs.ValidationError) -> str:
    """Which rule, not which value: what was sent is never echoed."""
    rule = str(error.schema_path[-1]) if error.schema_path else "schema"
    return f"does not follow `{rule}` of the application's schema"


@lru_cache(maxsize=512)
def _validator(schema: bytes) -> jsonschema_rs.Validator | None:
    """Patterns run in linear time and references are never fetched, whatever the schema says."""
    try:
        return jsonschema_rs.validator_for(
            orjson.loads(schema), pattern_options=jsonschema_rs.RegexOptions(), offline=True
        )
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError):
        return None
