"""Compiles the templates after the start, so that the first view of a page is as fast as the next."""

from __future__ import annotations

import asyncio
from typing import Final

from common.free_memory import release_free_memory
from gateway.pages.languages import OFFERED
from gateway.pages.template_engine import environment

PAUSE: Final = 0.02
"""Seconds between two templates. Requests, and the other processes that start, come first."""


async def compile_templates() -> None:
    """Compiles every template in every language, one at a time in a thread: each takes some milliseconds,
    which would stall the event loop. A page that is asked for meanwhile compiles what it lacks."""
    for code in OFFERED:
        templates = environment(code)
        for name in templates.list_templates(extensions=["html"]):
            await asyncio.to_thread(templates.get_template, name)
            await asyncio.sleep(PAUSE)
    await asyncio.to_thread(release_free_memory)
