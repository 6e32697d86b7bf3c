"""Settings with which common clients of the Model Context Protocol find a server. Each client finds the
sign-in by itself, through the server's metadata (RFC 9728)."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from common.message_ids import N_

EXAMPLE: Final = "https://mcp.example.com"
"""Stands for a server until an API is registered."""
NAME: Final = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True)
class AgentSettings:
    """The text for one client, and where it belongs."""

    key: str
    title: str
    place: str
    text: Callable[[str], str]


def name_of(url: str) -> str:
    """Returns a short name for a server, of its host and path."""
    parts = urlsplit(url)
    return NAME.sub("-", f"{parts.hostname or ''}{parts.path}").strip("-")[:40] or "server"


def _claude_code(url: str) -> str:
    return f"claude mcp add --transport http {name_of(url)} {shlex.quote(url)}"


def _vs_code(url: str) -> str:
    return _json({"servers": {name_of(url): {"type": "http", "url": url}}})


def _cursor(url: str) -> str:
    return _json({"mcpServers": {name_of(url): {"url": url}}})


def _json(content: object) -> str:
    return json.dumps(content, indent=2)


CLIENTS: Final = (
    AgentSettings(
        "claude-code", "Claude Code", N_("Run it in a terminal, then type /mcp."), _claude_code
    ),
    AgentSettings("vs-code", "VS Code", N_("Put it into .vscode/mcp.json."), _vs_code),
    AgentSettings("cursor", "Cursor", N_("Put it into .cursor/mcp.json."), _cursor),
    AgentSettings(
        "chatgpt",
        "ChatGPT",
        N_("Create a connector in the settings, with this address and OAuth."),
        lambda url: url,
    ),
    AgentSettings(
        "claude",
        "Claude",
        N_("Add a custom connector in the settings, with this address."),
        lambda url: url,
    ),
)
