"""Rendering mails: Jinja2 source of ours or of the application, in the application's looks.

What applications write runs in a sandbox that knows next to nothing: output, `if`, a few filters,
comparisons. No loops, no calls, no arithmetic, no attributes, and a bound on the size and depth of
what is parsed, since compiling nested expressions takes more than quadratic time. So no template
can take our time or our memory, or reach anything it was not given. What is put into a template is never itself a
template: a user named `{{ 7 * 7 }}` is greeted so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from functools import lru_cache
from typing import Any, Final

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from common.bidi import isolated
from common.brand_colors import color_of, palette
from common.contracts.fields import LINK
from common.contracts.mail_templates import (
    RenderedMail,
    TemplateInvalid,
    TemplateNotFound,
    TemplateText,
)
from common.contracts.tenants import Tenant
from common.worker_processes import WorkerProcesses
from identity.mail_texts import COMMON, DATA, HELLO, LOCALES, UNNAMED_ORGANIZATION, WORDS, Locale

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
MOST_DEPTH: Final = 20
PROOFS: Final = frozenset({"code", "link"})
PROVING: Final = frozenset(
    {"sign_in", "sign_up", "reset", "email_change", "invitation", "org_invitation"}
)
"""Kinds of mail that are of no use without a code or a link."""
ADVERTISEMENT: Final = re.compile(r"[/:@<>\[\]{}|\\#%$]|\.\w{2,}|www|http|\d{4}", re.I)
"""In a name: markup, what could be a link, and what could be a telephone number."""

_plain = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
_html = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=True)

LAYOUT: Final = _html.from_string("""\
<!doctype html>
<html lang="{{ locale }}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{{ subject }}</title>
<style>
body { margin: 0; padding: 24px; background: #f5f6f8; color: #1c2024;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 480px; margin: 0 auto; padding: 24px 32px; background: #fff; border-radius: 8px; }
header { font-size: 20px; font-weight: 600; margin-bottom: 16px; }
img { max-height: 40px; border: 0; }
.code { font: 600 26px/1 ui-monospace, monospace; letter-spacing: 4px; padding: 16px 0; }
.button { display: inline-block; padding: 12px 16px; border-radius: 8px; text-decoration: none;
  background: {{ light.fill }}; color: {{ light.on_fill }}; }
.note, footer { font-size: 13px; color: #60646c; }
footer { max-width: 480px; margin: 16px auto 0; text-align: center; }
@media (prefers-color-scheme: dark) {
  body { background: #111113; color: #edeef0; } main { background: #18191b; }
  .note, footer { color: #b0b4ba; }
  .button { background: {{ dark.fill }}; color: {{ dark.on_fill }}; }
}
</style>
</head>
<body>
<main>
<header>{% if logo_url %}<img src="{{ logo_url }}" alt="{{ app_name }}">
{%- else %}{{ app_name }}{% endif %}</header>
{{ body }}
</main>
<footer><a href="{{ homepage_url or app_url }}" style="color: inherit">{{ app_name }}</a></footer>
</body>
</html>
""")


def kinds() -> list[str]:
    return list(WORDS)


def built_in(kind: str, locale: Locale) -> TemplateText:
    """Raises TemplateNotFound."""
    if kind not in WORDS:
        raise TemplateNotFound
    return WORDS[kind][locale].source(HELLO[locale])


def closest(locale: str | None) -> Locale:
    """The language we have that is nearest to the one asked for."""
    language = re.split(r"[-_]", (locale or "").lower())[0]
    return next((known for known in LOCALES if known == language), "en")


def variables(kind: str) -> list[str]:
    return sorted({*COMMON, *DATA[kind]})


def sample(kind: str, tenant: Tenant) -> dict[str, Any]:
    """Values to look at a mail with. Raises TemplateNotFound."""
    if kind not in DATA:
        raise TemplateNotFound
    found = {**COMMON, **DATA[kind]}
    if found.get("link"):
        found["link"] = f"{tenant.origin}/example"
    return found


def check(kind: str, source: TemplateText) -> None:
    """Raises TemplateInvalid naming each part that cannot be used, and TemplateNotFound."""
    if kind not in WORDS:
        raise TemplateNotFound
    proofs = PROOFS & set(DATA[kind]) if kind in PROVING else set()
    errors = []
    for part in PARTS:
        fault = _fault(part, getattr(source, part), set(variables(kind)), proofs)
        if fault:
            errors.append({"field": part, "message": fault})
    if "\n" in source.subject.strip():
        errors.append({"field": "subject", "message": "one line only"})
    if errors:
        raise TemplateInvalid(errors=errors)


def _fault(part: str, source: str, known: set[str], proofs: Set[str]) -> str | None:
    try:
        tree = _parsed(source)
    except TemplateError as error:
        return str(error)[:200]
    names = set()
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, ALLOWED):
            return f"{type(node).__name__.lower()} is not allowed in a mail"
        if isinstance(node, nodes.Filter) and node.name not in FILTERS:
            return f"there is no filter {node.name}"
        if isinstance(node, nodes.Name):
            if node.name not in known:
                return f"there is no variable {node.name}"
            names.add(node.name)
    if proofs and part != "subject" and not proofs & names:
        needed = " or ".join(f"{{{{ {name} }}}}" for name in sorted(proofs))
        return f"{needed} is missing, so nobody could use the mail"
    return None


def _parsed(source: str) -> nodes.Template:
    """Returns the tree, which is small and flat. Raises TemplateError."""
    try:
        tree = _plain.parse(source)
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


async def checked(workers: WorkerProcesses, app_id: str, kind: str, source: TemplateText) -> None:
    """As `check`, in a process that can be killed. Raises Busy, too."""
    errors = await workers.run(app_id, "template_errors", kind, source.model_dump())
    if errors is None:
        raise TemplateNotFound
    if errors:
        raise TemplateInvalid(errors=errors)


async def rendered(
    workers: WorkerProcesses,
    app_id: str,
    kind: str,
    locale: Locale,
    tenant: Tenant,
    data: Mapping[str, Any],
    source: TemplateText,
) -> RenderedMail:
    """As `render`, in a process that can be killed. Raises TemplateInvalid, Busy, WorkerFailed."""
    found = await workers.run(
        app_id, "render_mail", kind, locale, tenant.model_dump(mode="json"), data,
        source.model_dump(),
    )  # fmt: skip
    if "invalid" in found:
        raise TemplateInvalid(found["invalid"])
    return RenderedMail.model_validate(found)


def render(
    kind: str, locale: Locale, tenant: Tenant, data: Mapping[str, Any], source: TemplateText
) -> RenderedMail:
    """Raises TemplateInvalid where the source does not render; `check` refuses such before."""
    looks = tenant.branding
    values: dict[str, Any] = {
        **dict.fromkeys({*COMMON, *DATA[kind]}, ""),
        **data,
        "name": isolated(harmless(str(data.get("name") or ""))),
        "inviter": isolated(harmless(str(data.get("inviter") or ""))),
        "device": isolated(harmless(str(data.get("device") or ""))),
        "org_name": isolated(harmless(str(data.get("org_name") or "")))
        or UNNAMED_ORGANIZATION[locale],
        "app_name": isolated(tenant.name),
        "app_url": tenant.origin,
        "support_email": looks.support_email or "",
        "homepage_url": looks.homepage_url or "",
        "logo_url": looks.logo_url if (looks.logo_url or "").startswith("https://") else "",
    }
    try:
        subject = " ".join(_compiled(source.subject, False).render(values).split())[:200]
        text = _compiled(source.text, False).render(values)
        body = _compiled(source.html, True).render(values)
        colors = palette(color_of(looks.primary_color))
        page = LAYOUT.render(
            {
                **values,
                "subject": subject,
                "locale": locale,
                "light": colors.light,
                "dark": colors.dark,
                "body": _html.filters["safe"](body),
            }
        )
    except (TemplateError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise TemplateInvalid(f"it does not render: {type(error).__name__}") from None
    return RenderedMail(subject=subject, text=_tidy(text), html=page)


@lru_cache(maxsize=1024)
def _compiled(source: str, html: bool) -> Any:
    """Bounded again: what is stored may be older than the bound. Raises TemplateError."""
    _parsed(source)
    return (_html if html else _plain).from_string(source)


def _tidy(text: str) -> str:
    """No runs of empty lines where a part fell away."""
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def harmless(name: str) -> str:
    """A name as a greeting, or nothing: what strangers type must not become an advertisement in a
    mail that looks like ours."""
    if len(name) > 60 or LINK.search(name) or ADVERTISEMENT.search(name):
        return ""
    return " ".join(name.split())
