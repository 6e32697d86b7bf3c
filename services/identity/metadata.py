"""Metadata of users, checked against the application's own JSON Schemas."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import jsonschema_rs
import orjson

from common import schema_cost
from common.contracts.app_settings import AppSettings
from common.contracts.profiles import MetadataInvalid
from common.field_errors import FieldError, field_error
from common.worker_processes import TookTooLong, WorkerFailed, WorkerProcesses

MOST: Final = 16_384
"""Bytes of JSON."""
MOST_EVALUATIONS: Final = 100_000
"""Evaluations of a schema, for all values of one kind of one user's metadata."""
KINDS: Final = ("public_metadata", "private_metadata", "user_metadata")


async def check(
    workers: WorkerProcesses, app_id: str, settings: AppSettings, sent_metadata: dict[str, Any]
) -> None:
    """Checks metadata of the three kinds. Raises MetadataInvalid with a field error for each place,
    and Busy."""
    (faults,) = await errors_of(workers, app_id, settings, [sent_metadata])
    if faults:
        raise MetadataInvalid(errors=faults)


async def errors_of(
    workers: WorkerProcesses,
    app_id: str,
    settings: AppSettings,
    sent_metadata: list[dict[str, Any]],
) -> list[list[FieldError]]:
    """Returns the field errors of each of several users' metadata. Schemas are applied in a process
    that can be killed."""
    faults: list[list[FieldError]] = [[] for _ in sent_metadata]
    checks: list[list[Any]] = []
    whose: list[int] = []
    for number, one in enumerate(sent_metadata):
        for kind in KINDS:
            data = one.get(kind)
            if data is None:
                continue
            if len(orjson.dumps(data)) > MOST:
                faults[number].append(field_error(kind, "metadata_too_large", maximum=MOST))
                continue
            schema = getattr(settings, f"{kind}_schema")
            if schema is not None:
                checks.append([kind, schema, data])
                whose.append(number)
    if checks:
        try:
            found_errors = await workers.run(app_id, "metadata_errors", checks)
        except (TookTooLong, WorkerFailed):
            found_errors = [
                [field_error(kind, "metadata_schema_too_slow")] for kind, _, _ in checks
            ]
        for number, errors in zip(whose, found_errors, strict=True):
            faults[number] += errors
    return faults


def errors(kind: str, schema: dict[str, Any], data: dict[str, Any]) -> list[FieldError]:
    """Returns the field errors of data, at most 20. The cost of the schema is checked again,
    because a stored schema may be older than the limit."""
    source = orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)
    validator, levels = _validator(source), _levels(source)
    if validator is None or levels is None:
        return [field_error(kind, "metadata_schema_unusable")]
    values = _values(data)
    if len(values) > schema_cost.DEPTH:
        return [field_error(kind, "metadata_too_deep", maximum=schema_cost.DEPTH)]
    if sum(one * many for one, many in zip(levels, values, strict=False)) > MOST_EVALUATIONS:
        return [field_error(kind, "metadata_has_too_many_values")]
    found_errors = []
    for error in validator.iter_errors(data):
        place = ".".join([kind, *(str(part) for part in error.instance_path)])
        found_errors.append(field_error(place, "metadata_breaks_schema", rule=_rule(error)))
        if len(found_errors) == 20:
            break
    return found_errors


def _values(data: Any) -> list[int]:
    """Returns the number of values on each level."""
    level: list[Any] = [data]
    counts: list[int] = []
    while level and len(counts) <= schema_cost.DEPTH:
        counts.append(len(level))
        level = [
            part
            for value in level
            if isinstance(value, dict | list)
            for part in (value.values() if isinstance(value, dict) else value)
        ]
    return counts


def _rule(error: jsonschema_rs.ValidationError) -> str:
    """Returns which rule the value breaks. The value itself is never echoed."""
    return str(error.schema_path[-1]) if error.schema_path else "schema"


@lru_cache(maxsize=512)
def _validator(schema: bytes) -> jsonschema_rs.Validator | None:
    """Returns the validator, or None for a schema that cannot be used. Patterns run in linear time,
    and references are never fetched."""
    try:
        return jsonschema_rs.validator_for(
            orjson.loads(schema), pattern_options=jsonschema_rs.RegexOptions(), offline=True
        )
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError):
        return None


@lru_cache(maxsize=512)
def _levels(schema: bytes) -> list[int] | None:
    try:
        return schema_cost.levels(orjson.loads(schema))
    except ValueError:
        return None
