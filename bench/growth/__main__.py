"""`python -m bench.growth`: what does each list, search, export, job and hot contract cost with a
thousand and with a million users of one application?

It fills an application on an embedded PostgreSQL, next to 2,000 others, and asks the services' own
handlers. It counts the buffers and the time of their statements with pg_stat_statements.

python -m bench.growth                          a thousand, then a million rows
python -m bench.growth --rows 100000            fewer
python -m bench.growth search "list: users"     some questions
python -m bench.growth --sizes --rows 100000    bytes on disk for each row, with its indexes
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import asyncpg

from bench.growth.application import (
    BenchApplication,
    add_neighbours,
    clear_traces,
    started_application,
)
from bench.growth.cost import Cost, measure
from bench.growth.fill import fill
from bench.growth.hot import HOT, JOBS
from bench.growth.questions import PAGES, Question
from bench.growth.server import started_postgres
from bench.growth.table import Result, table
from bench.processes import machine_speed

QUESTIONS = (*HOT, *PAGES, *JOBS)
Costs = dict[Question, tuple[Cost, Cost | None]]


def main() -> None:
    """Measures, prints the table and writes the figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("questions", nargs="*", help="beginnings of `group: name`")
    parser.add_argument("--few", type=int, default=1000, help="rows of the first measurement")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the second one")
    parser.add_argument("--neighbours", type=int, default=2000, help="other applications")
    parser.add_argument("--under", type=Path, help="folder for the database, about 5 GB")
    parser.add_argument("--explain", type=float, help="print plans of statements this slow (ms)")
    parser.add_argument("--statements", action="store_true", help="print the dearest statements")
    parser.add_argument("--sizes", action="store_true", help="measure bytes instead of questions")
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parents[1] / "results/growth.json"
    )
    options = parser.parse_args()
    if options.sizes:
        print(asyncio.run(sizes(options.under, options.rows)))
        return
    chosen = [each for each in QUESTIONS if _chosen(each, options.questions)]
    if not chosen:
        parser.error("no such question")
    results = asyncio.run(run(options, chosen))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    rows = [asdict(result) | {"ratio": result.ratio} for result in results]
    options.json.write_text(json.dumps({"speed_ms": machine_speed(), "results": rows}, indent=1))
    print(table(results, options.few, options.rows))


def _chosen(question: Question, beginnings: Sequence[str]) -> bool:
    name = f"{question.group}: {question.name}"
    return not beginnings or any(name.startswith(beginning) for beginning in beginnings)


async def run(options: argparse.Namespace, questions: Sequence[Question]) -> list[Result]:
    """Returns the cost of each question with few and with many rows of the same application."""
    async with started_postgres(options.under, options.explain) as dsns:
        owner, beside = [await asyncpg.connect(dsns["owner"]) for _ in range(2)]
        await owner.execute("CREATE EXTENSION pg_stat_statements")
        async with started_application(dsns) as app:
            neighbours = await add_neighbours(owner, options.neighbours, app.now)
            print(f"{options.few:,} rows", file=sys.stderr)
            await fill(owner, beside, [*neighbours, app.growth(0, options.few)])
            few = await ask_all(owner, app, options.few, questions)
            print(f"{options.rows:,} rows", file=sys.stderr)
            await fill(owner, beside, [app.growth(options.few, options.rows)])
            many = await ask_all(owner, app, options.rows, questions)
        for connection in (owner, beside):
            await connection.close()
    if options.statements:
        for question, (cost, _) in many.items():
            print(f"\n-- {question.name}: {cost.buffers}\n{cost.dearest}", file=sys.stderr)
    return [
        Result(each.group, each.name, few[each][0], many[each][0], many[each][1])
        for each in questions
    ]


async def sizes(under: Path | None, rows: int) -> str:
    """Returns the tables as Markdown: rows, and bytes of the table and its indexes for each row."""
    async with started_postgres(under, None) as dsns:
        owner, beside = [await asyncpg.connect(dsns["owner"]) for _ in range(2)]
        async with started_application(dsns) as app:
            before = await _bytes(owner)
            await fill(owner, beside, [app.growth(0, rows)])
            after = await _bytes(owner)
        for connection in (owner, beside):
            await connection.close()
    lines = [
        f"| {rows:,} users | rows | table, bytes a row | indexes, bytes a row |",
        "|---|---:|---:|---:|",
    ]
    for name, (count, heap, indexes) in after.items():
        grown = count - before[name][0]
        if grown > rows // 100:
            each = [
                (size - old) / grown
                for size, old in zip((heap, indexes), before[name][1:], strict=True)
            ]
            lines.append(f"| {name} | {grown:,} | {each[0]:.0f} | {each[1]:.0f} |")
    return "\n".join(lines)


async def _bytes(owner: asyncpg.Connection[asyncpg.Record]) -> dict[str, tuple[int, int, int]]:
    """Returns rows, bytes of the heap with its TOAST, and bytes of the indexes of each parent table."""
    await owner.execute("ANALYZE")
    return {
        row["name"]: (row["rows"], row["heap"], row["indexes"])
        for row in await owner.fetch(
            """SELECT parent.relname AS name, sum(greatest(part.reltuples, 0))::bigint AS rows,
                      sum(pg_table_size(part.oid))::bigint AS heap,
                      sum(pg_indexes_size(part.oid))::bigint AS indexes
               FROM pg_inherits JOIN pg_class parent ON parent.oid = inhparent
               JOIN pg_class part ON part.oid = inhrelid
               WHERE parent.relkind = 'p' GROUP BY 1 ORDER BY 1"""
        )
    }


async def ask_all(
    owner: asyncpg.Connection[asyncpg.Record],
    app: BenchApplication,
    rows: int,
    questions: Sequence[Question],
) -> Costs:
    """Returns the cost of each question, at the first page and far from it."""
    app.rows = rows
    await clear_traces(owner, app)
    app.tokens = (
        await app.new_tokens()
    )  # those of before may have expired while the tables were filled
    costs: Costs = {}
    for question in questions:
        first, far = await measure(owner, partial(question.ask, app)), None
        if question.place is not None:
            app.cursors.place[:] = question.place(app)
            far = await measure(owner, partial(question.ask, app))
            app.cursors.place.clear()
        costs[question] = first, far
        print(
            f"  {question.group}: {question.name}: {first.failure or first.buffers}",
            file=sys.stderr,
            flush=True,
        )
    return costs


if __name__ == "__main__":
    main()
