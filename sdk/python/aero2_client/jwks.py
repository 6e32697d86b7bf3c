"""The public keys of an issuer (RFC 7517): fetched rarely, and never because somebody asks often."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import jwt

LIFETIME: Final = 600.0
"""Seconds until the keys are fetched again."""
COOLDOWN: Final = 30.0
"""Seconds between two fetches because of a `kid` that is not known."""
PAUSE: Final = 5.0
"""Seconds between two fetches while no keys are known."""
MAX_UNKNOWN: Final = 128
"""Ids of keys that are remembered as unknown."""
MAX_BYTES: Final = 65_536
TIMEOUT: Final = 5.0


class KeysUnavailable(Exception):
    """The keys of the issuer could not be fetched, and none are known from before."""


class SigningKeys:
    """The keys at a URL. Several requests at once cause one fetch.

    If a fetch fails, the keys from before stay. A new key is found within the cooldown, without a
    restart. Tokens with made-up key ids cause no more than one fetch in that time.
    """

    def __init__(
        self,
        url: str,
        *,
        fetch: Callable[[str], dict[str, Any]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepares the keys at this URL. `fetch` gets the JWK Set, and runs in a thread."""
        self._url = url
        self._fetch = fetch or fetch_json
        self._clock = clock
        self._lock = asyncio.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._expires_at = 0.0
        self._next_fetch_at = 0.0
        self._unknown: OrderedDict[str, float] = OrderedDict()

    async def get(self, kid: str) -> jwt.PyJWK | None:
        """Returns the key with this id, or None. Raises KeysUnavailable."""
        now = self._clock()
        if now < self._expires_at and (kid in self._keys or self._is_unknown(kid, now)):
            return self._keys.get(kid)
        async with self._lock:
            now = self._clock()
            stale = now >= self._expires_at
            if (stale or kid not in self._keys) and now >= self._next_fetch_at:
                await self._refresh(now)
            if not self._keys:
                raise KeysUnavailable(f"no keys could be fetched from {self._url}")
            key = self._keys.get(kid)
            if key is None:
                self._note_unknown(kid, now)
            return key

    def _is_unknown(self, kid: str, now: float) -> bool:
        return self._unknown.get(kid, 0.0) > now

    def _note_unknown(self, kid: str, now: float) -> None:
        self._unknown[kid] = now + COOLDOWN
        self._unknown.move_to_end(kid)
        while len(self._unknown) > MAX_UNKNOWN:
            self._unknown.popitem(last=False)

    async def _refresh(self, now: float) -> None:
        """Fetches the keys. After a failure those from before are used, for one cooldown more."""
        self._next_fetch_at = now + (COOLDOWN if self._keys else PAUSE)
        try:
            keys = usable_keys(await asyncio.to_thread(self._fetch, self._url))
        except (OSError, ValueError):
            keys = {}
        if keys:
            self._keys, self._expires_at = keys, now + LIFETIME
            self._next_fetch_at = now + COOLDOWN
            self._unknown.clear()
        else:
            self._expires_at = max(self._expires_at, self._next_fetch_at)


def usable_keys(jwks: dict[str, Any]) -> dict[str, jwt.PyJWK]:
    """Returns the signing keys of a JWK Set that this library can use, by id."""
    keys: dict[str, jwt.PyJWK] = {}
    members = jwks.get("keys") if isinstance(jwks, dict) else None
    for member in members if isinstance(members, list) else ():
        if not isinstance(member, dict) or member.get("use", "sig") != "sig":
            continue
        try:
            key = jwt.PyJWK.from_dict(member)
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
        if key.key_id and key.key_type != "oct":
            keys[key.key_id] = key
    return keys


def fetch_json(url: str) -> dict[str, Any]:
    """Fetches a JSON document. Raises OSError or ValueError."""
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"{url} is no URL of a web server")
    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:  # noqa: S310 - checked above
        body = answer.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise ValueError(f"{url} answers more than {MAX_BYTES} bytes")
    document = json.loads(body)
    if not isinstance(document, dict):
        raise ValueError(f"{url} answers no JSON object")
    return document
