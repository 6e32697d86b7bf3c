"""The check of templates that applications write for their mails.

Templates run in a sandbox. They may output variables, test and compare them, and use a few filters.
They may not loop, call, compute or read attributes. Size and depth are limited, because compiling
nested expressions takes more than quadratic time. So no template can use up our time or memory.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Final

from jinja2 import TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from common.contracts.mail_templates import TemplateInvalid, TemplateNotFound, TemplateText
from common.field_errors import FieldError, field_error
from common.worker_processes import WorkerProcesses
from identity.mail_variables import KIND_SAMPLES, variables

ALLOWED: Final = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Concat,
    nodes.Filter,
)
FILTERS: Final = frozenset(
    {"e", "escape", "upper", "lower", "title", "capitalize", "trim", "default"}
)
PARTS: Final = ("subject", "text", "html")
MOST_NODES: Final = 500
"""Elements of one part."""
MOST_DEPTH: Final = 20
PROOFS: Final = frozenset({"code", "link"})
"""Variables with which the recipient proves that the address is theirs."""
PROVING: Final = frozenset(
    {"sign_in", "sign_up", "reset", "email_change", "invitation", "org_invitation"}
)
"""Kinds of mail that are of no use without a code or a link."""


_parser = ImmutableSandboxedEnvironment()


def check(kind: str, source: TemplateText) -> None:
    """Checks each part of a template. Raises TemplateInvalid with a field error for each part that
    cannot be used, and TemplateNotFound for an unknown kind of mail."""
    if kind not in KIND_SAMPLES:
        raise TemplateNotFound
    proofs = PROOFS & set(KIND_SAMPLES[kind]) if kind in PROVING else set()
    errors = []
    for part in PARTS:
        fault = _fault(part, getattr(source, part), set(variables(kind)), proofs)
        if fault:
            errors.append(fault)
    if "\n" in source.subject.strip():
        errors.append(field_error("subject", "template_subject_has_lines"))
    if errors:
        raise TemplateInvalid(errors=errors)


def _fault(part: str, source: str, allowed_names: set[str], proofs: Set[str]) -> FieldError | None:
    """Returns the first thing that is wrong with a part, or None. A part must use one of `proofs`
    if there are any."""
    try:
        tree = parsed(source)
    except TemplateError as error:
        return field_error(part, "template_unreadable", reason=str(error)[:200])
    names = set()
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, ALLOWED):
            element = type(node).__name__.lower()
            return field_error(part, "template_element_refused", element=element)
        if isinstance(node, nodes.Filter) and node.name not in FILTERS:
            return field_error(part, "template_filter_unknown", name=node.name)
        if isinstance(node, nodes.Name):
            if node.name not in allowed_names:
                return field_error(part, "template_variable_unknown", name=node.name)
            names.add(node.name)
    if proofs and part != "subject" and not proofs & names:
        needed = ", ".join(f"{{{{ {name} }}}}" for name in sorted(proofs))
        return field_error(part, "template_without_code", variables=needed)
    return None


def parsed(source: str) -> nodes.Template:
    """Returns the tree of a template. Raises TemplateError if it is too large or too deep."""
    try:
        tree = _parser.parse(source)
    except RecursionError:
        raise TemplateError("it is nested too deeply") from None
    level: list[nodes.Node] = [tree]
    count = depth = 0
    while level:
        count, depth = count + len(level), depth + 1
        if count > MOST_NODES:
            raise TemplateError(f"it has more than {MOST_NODES} parts")
        if depth > MOST_DEPTH:
            raise TemplateError(f"it is nested more than {MOST_DEPTH} levels deep")
        level = [child for node in level for child in node.iter_child_nodes()]
    return tree


async def check_in_worker(
    workers: WorkerProcesses, app_id: str, kind: str, source: TemplateText
) -> None:
    """Does what `check` does, in a process that can be killed. Also raises Busy."""
    errors = await workers.run(app_id, "template_errors", kind, source.model_dump())
    if errors is None:
        raise TemplateNotFound
    if errors:
        raise TemplateInvalid(errors=errors)
