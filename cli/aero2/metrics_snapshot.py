"""The metrics of a deployment at one moment, read from its listeners for Prometheus."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from aero2.deployment import is_held
from aero2.embedded.folder import Folder
from aero2.embedded.ports import port_of
from aero2.failures import CommandError
from aero2.secret_variables import secret_of

LARGEST: Final = 32 * 1024 * 1024
"""Bytes of one answer."""


@dataclass(frozen=True)
class Snapshot:
    """All samples of all listeners, by name. `at` is in seconds of the monotonic clock."""

    at: float
    samples: dict[str, list[Sample]]

    def of(self, name: str) -> Iterator[Sample]:
        """Returns the samples of one name."""
        return iter(self.samples.get(name, ()))


def listeners(folder: Path | None, urls: Iterable[str]) -> list[str]:
    """Returns the addresses to read: those that are given, else the listener of the `aero2 up` that runs
    on a data folder. Raises CommandError if nothing runs there."""
    if addresses := [
        url if "/" in url.removeprefix("http://") else f"{url}/metrics" for url in urls
    ]:
        return addresses
    path = folder or Path(".aero2")
    if not (path / "lock").is_file() or not is_held(path):
        raise CommandError(
            f"Aero2 does not run on the data folder {path}. Name another one with --data-dir, or "
            "the listeners of the processes with --metrics."
        )
    port = os.environ.get("AERO2_METRICS_PORT") or port_of(Folder.at(path), "metrics")
    return [f"http://127.0.0.1:{port}/metrics"]


def take(urls: list[str]) -> Snapshot:
    """Reads all listeners. AERO2_METRICS_TOKEN is sent if it is set. Raises CommandError if one does not
    answer."""
    token = secret_of("AERO2_METRICS_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    samples: dict[str, list[Sample]] = {}
    for url in urls:
        for sample in _read(url, headers):
            samples.setdefault(sample.name, []).append(sample)
    return Snapshot(time.monotonic(), samples)


def _read(url: str, headers: dict[str, str]) -> list[Sample]:
    try:
        answer = httpx.get(url, headers=headers, timeout=10, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        raise CommandError(f"{url} cannot be read: {reason}.") from None
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise CommandError(f"{url} wants a token: set AERO2_METRICS_TOKEN.")
    if not answer.is_success or len(answer.content) > LARGEST:
        raise CommandError(f"{url} answered {answer.status_code}, and no metrics.")
    try:
        families = list(text_string_to_metric_families(answer.text))
    except (ValueError, KeyError, IndexError):
        raise CommandError(f"{url} answered no metrics.") from None
    return [sample for family in families for sample in family.samples]
