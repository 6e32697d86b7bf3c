"""Undoes a move that has not changed the home yet, as far as its clusters are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aero2.app_tables import app_tables
from aero2.failures import CommandError
from aero2.migration_steps import Connection
from aero2.moves import fences, leftovers, records, replication, rows
from aero2.moves.records import Move
from common.homes import MAIN


async def abort(
    move: Move, clusters: Mapping[str, Connection], report: Callable[[str], None]
) -> None:
    """Opens the application at its home, and deletes the copy. Without a cluster that is dark, does what can be
    done, and raises CommandError: the same command does the rest later."""
    main = clusters[MAIN]
    if move.phase == records.MOVED:
        raise CommandError(
            f"{move.slug} lives in {move.target} already. Run the command without --abort, which deletes what is "
            f"left in {move.source}; then move it back."
        )
    await records.set_phase(main, move, records.ABORTING)
    if target := clusters.get(move.target):
        await fences.close_target(target, move)
    if source := clusters.get(move.source):
        await fences.lift(source, move)
        report(f"{move.slug} answers in {move.source}")
    if target:
        await replication.unsubscribe(target, move)
    if source:
        await replication.unpublish(source, move)
        await fences.forget(source, move)
    if target:
        await rows.delete(target, move, await app_tables(target), report)
        await leftovers.delete_placeholder(target, move, move.target)
        await fences.forget(target, move)
    if dark := [name for name in (move.source, move.target) if name not in clusters]:
        raise CommandError(
            f"{dark[0]} cannot be reached, and still has what the move left there. Run the same command again when it "
            "is back."
        )
    await records.forget(main, move)
