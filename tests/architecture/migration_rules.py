"""What a migration may not do, found in its text by PostgreSQL's own parser.

db/migrations/README.md has the reasons. A rule yields a sentence for each fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from pglast import ast, parse_sql
from pglast.enums import AlterTableType, ConstrType, DropBehavior, ObjectType

from aero2.migration_files import Script, Step

NAME: Final = re.compile(r"^[0-9]{4}_[a-z0-9_]+\.sql$")
PHASES: Final = ("expand", "contract")
CONSTANT: Final = {"now", "transaction_timestamp", "statement_timestamp"}
"""Functions that PostgreSQL calls once for all rows when a column is added."""
REWRITING: Final = (ConstrType.CONSTR_GENERATED, ConstrType.CONSTR_IDENTITY)
SERIAL: Final = {"serial", "bigserial", "smallserial", "serial4", "serial8", "serial2"}


@dataclass(frozen=True)
class Migration:
    """A file with its statements. A step for each partition is looked at once."""

    script: Script

    @cached_property
    def steps(self) -> list[Step]:
        """Returns the steps, of those for each partition the first."""
        first = {re.sub(r"_p\d\d\b", "_pNN", each.sql): each for each in self.script.steps[::-1]}
        return list(first.values())[::-1]

    @cached_property
    def parsed(self) -> list[tuple[Step, list[Any]]]:
        """Returns the statements of each step."""
        return [(step, [raw.stmt for raw in parse_sql(step.sql)]) for step in self.steps]

    @cached_property
    def statements(self) -> list[Any]:
        """Returns all statements."""
        return [each for _, statements in self.parsed for each in statements]

    @cached_property
    def new_tables(self) -> set[str]:
        """Returns the tables that it creates, with their partitions."""
        return {
            each.relation.relname for each in self.statements if isinstance(each, ast.CreateStmt)
        }

    def is_new(self, table: str) -> bool:
        """Whether nobody uses the table yet."""
        return table in self.new_tables or re.sub(r"_p\d\d$", "", table) in self.new_tables

    def alterations(self) -> Iterator[tuple[ast.AlterTableStmt, ast.AlterTableCmd]]:
        """Yields the parts of ALTER TABLE for tables that are in use."""
        for each in self.statements:
            if isinstance(each, ast.AlterTableStmt) and not self.is_new(each.relation.relname):
                yield from ((each, part) for part in each.cmds)


Rule = Callable[[Migration], Iterator[str]]


def header(migration: Migration) -> Iterator[str]:
    """Its name has a number, and its first lines say the phase."""
    script = migration.script
    if not NAME.match(script.name):
        yield "the name is not NNNN_what_it_does.sql"
    if script.headers.get("phase") not in PHASES:
        yield "the first line is not `-- phase: expand` or `-- phase: contract`"
    if script.headers.get("transaction", "no") != "no":
        yield "`-- transaction:` can only be `no`"


def no_star(migration: Migration) -> Iterator[str]:
    """Columns have names: a `*` is other columns a release later."""
    if any("'A_Star'" in repr(each(skip_none=True)) for each in migration.statements):
        yield "`*` stands for other columns a release later: name them"


def new_table(migration: Migration) -> Iterator[str]:
    """A table has a key, sixteen partitions and grants; with rows of applications, row level security and
    policies."""
    text = migration.script.sql
    for each in migration.statements:
        if not isinstance(each, ast.CreateStmt) or each.partbound is not None:
            continue
        table = each.relation.relname
        keys = [part.contype for part in _constraints(each)]
        of_apps = any(getattr(part, "colname", "") == "app_id" for part in each.tableElts or ())
        wanted = {
            "no primary key": ConstrType.CONSTR_PRIMARY in keys,
            "no ENABLE ROW LEVEL SECURITY": not of_apps
            or _alters(migration, table, AlterTableType.AT_EnableRowSecurity),
            "no FORCE ROW LEVEL SECURITY": not of_apps
            or _alters(migration, table, AlterTableType.AT_ForceRowSecurity),
            "no policy": not of_apps
            or any(
                isinstance(one, ast.CreatePolicyStmt) and one.table.relname == table
                for one in migration.statements
            ),
            "no grant": any(
                isinstance(one, ast.GrantStmt)
                and any(getattr(part, "relname", "") == table for part in one.objects or ())
                for one in migration.statements
            ),
            "no step for its partitions": each.partspec is None
            or re.search(rf"TABLE {table}_pNN PARTITION OF {table}\b", text) is not None
            or "PARTITION OF %I" in text,
        }
        yield from (
            f"the new table {table} has {fault}" for fault, fine in wanted.items() if not fine
        )


def no_rewrite(migration: Migration) -> Iterator[str]:
    """Nothing rewrites a table under a lock."""
    for statement, part in migration.alterations():
        table = statement.relation.relname
        if part.subtype == AlterTableType.AT_AlterColumnType:
            yield f"another type rewrites {table}: add a column, fill it, read it"
        if part.subtype == AlterTableType.AT_AddColumn:
            yield from _new_column(table, part.def_)


def _new_column(table: str, column: ast.ColumnDef) -> Iterator[str]:
    name = f"{table}.{column.colname}"
    parts = column.constraints or ()
    default = next((one for one in parts if one.contype == ConstrType.CONSTR_DEFAULT), None)
    if any(one.contype in REWRITING for one in parts) or column.typeName.names[-1].sval in SERIAL:
        yield f"the column {name} is computed for all rows, which rewrites the table"
    if default is not None and not _is_constant(default.raw_expr):
        yield f"the default of {name} differs from row to row, which rewrites the table"
    if default is None and any(one.contype == ConstrType.CONSTR_NOTNULL for one in parts):
        yield f"{name} is NOT NULL without a default: the version before writes none"
    kinds = (ConstrType.CONSTR_PRIMARY, ConstrType.CONSTR_UNIQUE, ConstrType.CONSTR_FOREIGN)
    if any(one.contype in kinds for one in parts):
        yield f"the key of {name} is built under a lock: add it in steps of its own"


def no_scan(migration: Migration) -> Iterator[str]:
    """Constraints and indexes are not built or checked under a lock that stops writers."""
    checks = (ConstrType.CONSTR_CHECK, ConstrType.CONSTR_FOREIGN)
    keys = (ConstrType.CONSTR_PRIMARY, ConstrType.CONSTR_UNIQUE, ConstrType.CONSTR_EXCLUSION)
    for statement, part in migration.alterations():
        if part.subtype != AlterTableType.AT_AddConstraint:
            continue
        one, table = part.def_, statement.relation.relname
        if one.contype in checks and not one.skip_validation:
            yield f"{one.conname} of {table} is checked under a lock: NOT VALID, and VALIDATE in a later step"
        if one.contype in keys and one.indexname is None and statement.relation.inh:
            yield f"{one.conname} of {table} is built under a lock: build its index concurrently first"
    for each in migration.statements:
        if isinstance(each, ast.IndexStmt) and not each.concurrent and each.relation.inh:
            if migration.is_new(each.relation.relname):
                continue
            yield f"{each.idxname} is built under a lock: ON ONLY the parent, CONCURRENTLY for each partition"


def not_null_after_check(migration: Migration) -> Iterator[str]:
    """SET NOT NULL reads the whole table, unless a valid check has proven it."""
    proven: set[tuple[str, str]] = set()
    checks: dict[str, str] = {}
    for statement, part in migration.alterations():
        table = statement.relation.relname
        if (
            part.subtype == AlterTableType.AT_AddConstraint
            and part.def_.contype == ConstrType.CONSTR_CHECK
        ):
            if isinstance(part.def_.raw_expr, ast.NullTest):
                checks[part.def_.conname] = part.def_.raw_expr.arg.fields[-1].sval
        elif part.subtype == AlterTableType.AT_ValidateConstraint and part.name in checks:
            proven.add((table, checks[part.name]))
        elif part.subtype == AlterTableType.AT_SetNotNull and (table, part.name) not in proven:
            yield f"SET NOT NULL of {table}.{part.name} reads all rows under a lock: validate a CHECK first"


def one_lock_at_a_time(migration: Migration) -> Iterator[str]:
    """A step does not read a table under the lock of another part of it."""
    for _, statements in migration.parsed:
        subtypes = [
            part.subtype
            for each in statements
            if isinstance(each, ast.AlterTableStmt) and not migration.is_new(each.relation.relname)
            for part in each.cmds
        ]
        if AlterTableType.AT_ValidateConstraint in subtypes and len(set(subtypes)) > 1:
            yield "VALIDATE CONSTRAINT shares a step with what holds a stronger lock"
        for each in statements:
            if isinstance(each, ast.LockStmt | ast.ClusterStmt | ast.VacuumStmt | ast.TruncateStmt):
                yield f"{type(each).__name__.removesuffix('Stmt').upper()} locks a table for as long as it takes"
            if isinstance(each, ast.CreateStmt) and each.partbound is not None:
                parent = each.inhRelations[0].relname
                if not migration.is_new(parent):
                    yield f"PARTITION OF {parent} locks it: create the table, and ATTACH it"
            if isinstance(each, ast.ReindexStmt) and "concurrently" not in {
                one.defname for one in each.params or ()
            }:
                yield "REINDEX without CONCURRENTLY locks the table"


def no_blind_change(migration: Migration) -> Iterator[str]:
    """Rows of a table in use are changed in batches."""
    for step, statements in migration.parsed:
        for each in statements:
            changes = isinstance(each, ast.UpdateStmt | ast.DeleteStmt) and step.backfill is None
            if changes and not migration.is_new(each.relation.relname):
                yield f"rows of {each.relation.relname} are changed outside of a step `backfill`"
        if step.backfill and step.backfill != getattr(statements[0].relation, "relname", ""):
            yield f"the backfill of {step.backfill} changes another table"


def nothing_taken(migration: Migration) -> Iterator[str]:
    """An expanding migration takes nothing away that the version before uses, and CASCADE none at all."""
    added = {
        part.def_.conname
        for _, part in migration.alterations()
        if part.subtype == AlterTableType.AT_AddConstraint
    }
    expand = not migration.script.contracts
    for each in migration.statements:
        if isinstance(each, ast.DropStmt):
            if each.behavior == DropBehavior.DROP_CASCADE:
                yield "CASCADE drops what nobody named: foreign keys of all partitions, for example"
            indexes = each.removeType == ObjectType.OBJECT_INDEX
            if expand and not (each.removeType == ObjectType.OBJECT_POLICY or indexes):
                yield "DROP takes away what the version before uses: a migration with `phase: contract`"
            if indexes and not each.concurrent:
                yield "DROP INDEX locks its table: CONCURRENTLY"
        if isinstance(each, ast.RenameStmt) and expand:
            yield "the version before knows the old name"
    for statement, part in migration.alterations():
        table = statement.relation.relname
        if part.behavior == DropBehavior.DROP_CASCADE:
            yield "CASCADE drops what nobody named: foreign keys of all partitions, for example"
        if part.subtype == AlterTableType.AT_DropColumn and expand:
            yield f"the version before uses {table}.{part.name}: a migration with `phase: contract`"
        if part.subtype == AlterTableType.AT_DropConstraint and expand and part.name not in added:
            yield f"the version before relies on {part.name}: a migration with `phase: contract`"
        if part.subtype == AlterTableType.AT_DetachPartition and not part.def_.concurrent:
            yield f"DETACH locks {table}: CONCURRENTLY"
        if part.subtype in (
            AlterTableType.AT_DisableRowSecurity,
            AlterTableType.AT_NoForceRowSecurity,
        ) and not _alters(migration, table, AlterTableType.AT_ForceRowSecurity):
            yield f"row level security of {table} stays off"


RULES: Final[tuple[Rule, ...]] = (
    header, no_star, new_table, no_rewrite, no_scan, not_null_after_check, one_lock_at_a_time,
    no_blind_change, nothing_taken,
)  # fmt: skip


def faults(script: Script) -> list[str]:
    """Returns what is wrong with a migration, in sentences."""
    migration = Migration(script)
    return [fault for rule in RULES for fault in rule(migration)]


def for_squawk(script: Script) -> str:
    """Returns the statements that squawk can judge: it takes ON ONLY for the whole table, and an index of a
    new table for one of a table in use."""
    migration = Migration(script)
    parts = []
    for step in migration.steps:
        for raw in parse_sql(step.sql):
            relation: Any = getattr(raw.stmt, "relation", None)
            indexes = isinstance(raw.stmt, ast.IndexStmt) and migration.is_new(relation.relname)
            if not indexes and (relation is None or relation.inh):
                end = raw.stmt_location + raw.stmt_len if raw.stmt_len else None
                parts.append(step.sql.encode()[raw.stmt_location : end].decode().strip() + ";")
    return "\n".join(parts) + "\n"


def _constraints(table: ast.CreateStmt) -> Iterator[ast.Constraint]:
    for each in (*(table.tableElts or ()), *(table.constraints or ())):
        if isinstance(each, ast.Constraint):
            yield each
        elif isinstance(each, ast.ColumnDef):
            yield from each.constraints or ()


def _alters(migration: Migration, table: str, subtype: AlterTableType) -> bool:
    return any(
        part.subtype == subtype
        for each in migration.statements
        if isinstance(each, ast.AlterTableStmt) and each.relation.relname == table
        for part in each.cmds
    )


def _is_constant(expression: Any) -> bool:
    """Whether a default has the same value for all rows."""
    if isinstance(expression, ast.TypeCast):
        return _is_constant(expression.arg)
    if isinstance(expression, ast.A_ArrayExpr):
        return all(map(_is_constant, expression.elements or ()))
    if isinstance(expression, ast.A_Expr):
        return all(
            _is_constant(one) for one in (expression.lexpr, expression.rexpr) if one is not None
        )
    if isinstance(expression, ast.FuncCall):
        return expression.funcname[-1].sval in CONSTANT
    return isinstance(expression, ast.A_Const | ast.SQLValueFunction)
