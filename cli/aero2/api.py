"""The public API of an application, called with its secret key."""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from aero2.failures import CommandError

PATIENCE: Final = 8
"""Tries of a call that finds the platform busy or away."""


def call(api: httpx.Client, method: str, path: str, **more: Any) -> Any:
    """Returns the answer. Waits while the platform is busy or starting. Raises CommandError."""
    for attempt in range(PATIENCE):
        try:
            answer = api.request(method, path, **more)
        except httpx.TransportError as error:
            if attempt == PATIENCE - 1:
                raise CommandError(f"{api.base_url} cannot be reached: {error}.") from None
            time.sleep(min(2**attempt * 0.2, 5))
            continue
        if answer.status_code in (429, 502, 503, 504) and attempt < PATIENCE - 1:
            wait = answer.headers.get("retry-after", "1")
            time.sleep(min(float(wait) if wait.isdigit() else 1.0, 30))
            continue
        if answer.is_success:
            return answer.json()
        raise CommandError(_reason(answer))
    raise AssertionError("unreachable")


def _reason(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
        said = f"Aero2 answered {answer.status_code}: {problem['detail']}"
        fields = [f"{each['field']}: {each['message']}" for each in problem.get("errors") or []]
        return " ".join([said, *fields])
    except (ValueError, KeyError, TypeError):
        return f"That is no Aero2, or something before it answered {answer.status_code}."


def client(url: str, key: str, *, ca: Path | None = None) -> httpx.Client:
    """Returns a client. `<slug>.localhost` is this machine, whether the resolver knows it or not.
    `ca` is the certificate authority to trust if it is not one of the system's."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CommandError("--url is the application's origin, like http://demo.localhost:8080.")
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    host = parts.hostname
    if host.endswith(".localhost") and parts.scheme == "http":
        headers["Host"] = parts.netloc
        host = "127.0.0.1"
    port = f":{parts.port}" if parts.port else ""
    return httpx.Client(
        base_url=f"{parts.scheme}://{host}{port}",
        headers=headers,
        timeout=60,
        trust_env=False,
        verify=ssl.create_default_context(cafile=str(ca)) if ca else True,
    )
