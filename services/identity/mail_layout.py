"""The layout of mails: the parts of a built-in mail as Jinja2 source, and the page around each."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Final

from common.contracts.mail_templates import TemplateText

PAGE: Final = """\
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
"""


@dataclass(frozen=True)
class MailParts:
    """The parts of a built-in mail. Each text is Jinja2 source in the language of the mail."""

    subject: str
    paragraphs: tuple[str, ...]
    button: str = ""
    note: str = ""
    """The last paragraph, in small print."""
    has_code: bool = False
    link_note: str = ""
    """A note about the link, below the button."""

    def source(self, greeting: str) -> TemplateText:
        """Returns the mail as a template, such as an application may replace."""
        text, html = self._text(greeting), self._html(greeting)
        return TemplateText(subject=self.subject, text=text, html=html)

    def _text(self, greeting: str) -> str:
        parts = [greeting, *self.paragraphs]
        if self.has_code:
            parts.append(when("code", "    {{ code }}"))
        if self.button:
            parts.append(when("link", self.button + ":\n{{ link }}"))
        if self.link_note:
            parts.append(when("link", self.link_note))
        if self.note:
            parts.append(self.note)
        return "\n\n".join(parts)

    def _html(self, greeting: str) -> str:
        parts = [f"<p>{_html(part)}</p>" for part in (greeting, *self.paragraphs)]
        if self.has_code:
            parts.append(when("code", '<p class="code">{{ code }}</p>'))
        if self.button:
            label = escape(self.button)
            parts.append(
                when("link", f'<p><a class="button" href="{{{{ link }}}}">{label}</a></p>')
            )
        if self.link_note:
            parts.append(when("link", f'<p class="note">{_html(self.link_note)}</p>'))
        if self.note:
            parts.append(f'<p class="note">{_html(self.note)}</p>')
        return "\n".join(parts)


def when(condition: str, text: str, otherwise: str = "") -> str:
    """Returns Jinja2 source for the text if the condition holds, else for the other text."""
    if not otherwise:
        return f"{{% if {condition} %}}{text}{{% endif %}}"
    return f"{{% if {condition} %}}{text}{{% else %}}{otherwise}{{% endif %}}"


def _html(text: str) -> str:
    """Escapes the words of a text. Its braces stay, since they are Jinja2."""
    return text.replace("<", "&lt;").replace(">", "&gt;")
