"""What a statement costs with the plan that services keep: one for all parameters."""

from __future__ import annotations

import asyncpg
import orjson
from tests.architecture.source import SERVICES, statements


async def buffers(dsn: str, sql: str, app: str, values: tuple[object, ...]) -> int:
    """Returns the number of buffers that the statement reads."""
    settings = {"plan_cache_mode": "force_generic_plan", "aero2.app_id": app}
    db = await asyncpg.connect(dsn, server_settings=settings)
    try:
        await db.execute(f"PREPARE page AS {sql}")
        call = f"EXECUTE page({', '.join(_literal(value) for value in (app, *values))})"
        explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {call}"
        await db.fetchval(explain)  # makes the plans of functions, too
        (found,) = orjson.loads(await db.fetchval(explain))
        plan = found["Plan"]
        return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
    finally:
        await db.close()


def _literal(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case bool() | int():
            return str(value)
        case list():
            return f"ARRAY[{', '.join(_literal(each) for each in value)}]::text[]"
    return f"'{value}'"


def statement(service: str, file: str, part: str) -> str:
    (found,) = [
        made.sql
        for made in statements(SERVICES / service / "queries")
        if made.file.name == file and part in made.sql
    ]
    return found
