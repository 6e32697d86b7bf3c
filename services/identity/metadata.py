"""What applications keep about their users, held to the application's own JSON schemas."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import jsonschema_rs
import orjson

from common import schema_cost
from common.contracts.app_settings import AppSettings
from common.contracts.profiles import MetadataInvalid
from common.worker_processes import TookTooLong, WorkerFailed, WorkerProcesses

MOST: Final = 16_384
"""Bytes of JSON."""
MOST_EVALUATIONS: Final = 100_000
"""Of schemas, for all values of one user's metadata of one kind."""
KINDS: Final = ("public_metadata", "private_metadata", "user_metadata")


async def check(
    workers: WorkerProcesses, app_id: str, settings: AppSettings, given: dict[str, Any]
) -> None:
    """`given` may hold any of the three. Raises MetadataInvalid naming each fault's place; Busy."""
    (faults,) = await faults_of(workers, app_id, settings, [given])
    if faults:
        raise MetadataInvalid(errors=faults)


async def faults_of(
    workers: WorkerProcesses, app_id: str, settings: AppSettings, given: list[dict[str, Any]]
) -> list[list[dict[str, str]]]:
    """Returns what is wrong with each of several users' metadata. Schemas are applied in a process
    that can be killed."""
    faults: list[list[dict[str, str]]] = [[] for _ in given]
    checks: list[list[Any]] = []
    whose: list[int] = []
    for number, one in enumerate(given):
        for kind in KINDS:
            data = one.get(kind)
            if data is None:
                continue
            if len(orjson.dumps(data)) > MOST:
                faults[number].append({"field": kind, "message": f"at most {MOST} bytes"})
                continue
            schema = getattr(settings, f"{kind}_schema")
            if schema is not None:
                checks.append([kind, schema, data])
                whose.append(number)
    if checks:
        try:
            found = await workers.run(app_id, "metadata_errors", checks)
        except (TookTooLong, WorkerFailed):
            unusable = "the application's schema cannot be applied in time"
            found = [[{"field": kind, "message": unusable}] for kind, _, _ in checks]
        for number, errors in zip(whose, found, strict=True):
            faults[number] += errors
    return faults


def errors(kind: str, schema: dict[str, Any], data: dict[str, Any]) -> list[dict[str, str]]:
    """Returns what is wrong with data, at most 20 places. The cost of the schema is bounded again:
    what is stored may be older than the bound."""
    source = orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)
    validator, levels = _validator(source), _levels(source)
    if validator is None or levels is None:
        return [{"field": kind, "message": "the application's schema cannot be used"}]
    values = _values(data)
    if len(values) > schema_cost.DEPTH:
        message = f"nested more than {schema_cost.DEPTH} levels deep"
        return [{"field": kind, "message": message}]
    if sum(one * many for one, many in zip(levels, values, strict=False)) > MOST_EVALUATIONS:
        return [{"field": kind, "message": "too many values for the application's schema"}]
    found = []
    for error in validator.iter_errors(data):
        place = ".".join([kind, *(str(part) for part in error.instance_path)])
        found.append({"field": place, "message": _reason(error)})
        if len(found) == 20:
            break
    return found


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


@lru_cache(maxsize=512)
def _levels(schema: bytes) -> list[int] | None:
    try:
        return schema_cost.levels(orjson.loads(schema))
    except ValueError:
        return None
