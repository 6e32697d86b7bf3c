"""`aero2 status`: what runs, on one screen, and whether people can sign in."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

import httpx

from aero2.cluster_report import ClusterStatus
from aero2.deployment import Deployment, LocalProcess
from aero2.failures import CommandError

WARNINGS: Final = {
    "service_silent": "no process of {about} answers",
    "instance_silent": "{about} answered a moment ago, and does not now",
    "instance_slow": "{about} is slow: its mean answer takes more than 250 ms",
    "instance_errors": "more than 1 of 100 answers of {about} were faults",
    "version_differs": "{about} runs another version than the gateway",
    "hashes_wait": "password hashes wait in {about}",
    "queues_unknown": "identity does not tell how long the queues are",
    "relay_late": "an audit event of {about} waits for the stream for more than 30 seconds",
    "mail_late": "a mail waits for more than five minutes",
    "stream_unknown": "the stream of audit events does not answer",
    "database_unknown": "the database does not answer",
    "connections_scarce": "more than 80 of 100 connections of the database server are in use",
}
"""A sentence for each warning of `GET /api/platform/health`."""


@dataclass(frozen=True)
class ProcessStatus:
    """One process. Figures that are not known are None: those of requests for servers, and those of the
    system for processes of another machine."""

    name: str
    state: str
    version: str | None = None
    uptime: float | None = None
    pid: int | None = None
    memory_bytes: int | None = None
    requests: int | None = None
    errors: int | None = None
    mean_ms: float | None = None


@dataclass(frozen=True)
class Status:
    """The state of a deployment."""

    url: str
    healthy: bool
    reason: str
    checks: dict[str, str] = field(default_factory=dict)
    processes: list[ProcessStatus] = field(default_factory=list)
    queues: dict[str, dict[str, Any]] = field(default_factory=dict)
    stream: dict[str, Any] | None = None
    database: dict[str, Any] | None = None
    clusters: list[ClusterStatus] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def status_of(deployment: Deployment, clusters: list[ClusterStatus] | None = None) -> Status:
    """Asks a deployment. `clusters` is what its databases told. It is healthy if people can sign in and audit events reach the stream, as
    `GET /health` says. If the gateway does not answer, the processes of this machine are listed. Raises
    CommandError if there are none either, or if the key may not ask."""
    try:
        readiness = deployment.get("/health")
    except CommandError as error:
        return _without_gateway(deployment, str(error), clusters or [])
    checks = _dict(_body(readiness).get("checks"))
    failing = [f"{name} is {state}" for name, state in checks.items() if state != "ok"]
    report, refusal = _report(deployment)
    local = deployment.processes()
    healthy = readiness.status_code == HTTPStatus.OK and _body(readiness).get("status") == "healthy"
    return Status(
        url=deployment.url,
        healthy=healthy,
        reason="" if healthy else ", ".join(failing) or f"/health says {readiness.status_code}",
        checks={name: str(state) for name, state in checks.items()},
        processes=_processes(_dicts(report.get("instances")), local),
        queues=_queues(report.get("queues")),
        stream=report.get("stream"),
        database=report.get("database"),
        clusters=clusters or [],
        ports=deployment.ports(),
        warnings=[
            *refusal,
            *map(_sentence, _dicts(report.get("warnings"))),
            *(sentence for each in clusters or [] for sentence in each.warnings()),
        ],
    )


def _without_gateway(deployment: Deployment, reason: str, clusters: list[ClusterStatus]) -> Status:
    local = deployment.processes()
    if not local:
        raise CommandError(reason)
    return Status(
        deployment.url,
        healthy=False,
        reason=reason.removesuffix("."),
        processes=_processes([], local),
        clusters=clusters,
        ports=deployment.ports(),
        warnings=[sentence for each in clusters for sentence in each.warnings()],
    )


def _report(deployment: Deployment) -> tuple[dict[str, Any], list[str]]:
    """Returns the report for operators. While identity or rbac is away, nobody may read it: that is a
    warning. Raises CommandError if the key is refused."""
    answer = deployment.get("/api/platform/health")
    if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
        raise CommandError(
            f"{deployment.url} does not show its health to this key ({answer.status_code}). It "
            "needs the secret key of the Dashboard application, with platform:manage."
        )
    if answer.status_code != HTTPStatus.OK:
        return {}, [f"the processes cannot be listed: Aero2 answered {answer.status_code}"]
    return _body(answer), []


def _body(answer: httpx.Response) -> dict[str, Any]:
    try:
        return _dict(answer.json())
    except ValueError:
        return {}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _sentence(warning: dict[str, Any]) -> str:
    code = str(warning.get("code"))
    return WARNINGS.get(code, f"{code}: {{about}}").format(about=warning.get("about", ""))


def _processes(instances: list[dict[str, Any]], local: list[LocalProcess]) -> list[ProcessStatus]:
    """Returns a row for each process: servers first, and each service with what the system tells about
    its process if it runs here."""
    by_name = {process.name: process for process in local}
    services = [_service(each, by_name) for each in instances]
    listed = {row.name for row in services}
    servers = [
        ProcessStatus(
            process.name,
            "runs",
            uptime=process.uptime,
            pid=process.pid,
            memory_bytes=process.memory,
        )
        for process in local
        if process.name not in listed
    ]
    return servers + services


def _service(instance: dict[str, Any], local: dict[str, LocalProcess]) -> ProcessStatus:
    name, replica = str(instance.get("service")), str(instance.get("replica") or "0")
    label = name if replica == "0" else f"{name}-{replica}"
    process = local.get(label)
    return ProcessStatus(
        label,
        "answers" if instance.get("answers") else "silent",
        version=instance.get("version"),
        uptime=process.uptime if process else _since(instance.get("started_at")),
        pid=process.pid if process else None,
        memory_bytes=process.memory if process else None,
        requests=instance.get("requests"),
        errors=instance.get("errors"),
        mean_ms=instance.get("mean_ms"),
    )


def _since(started: Any) -> float | None:
    try:
        return max(0.0, time.time() - datetime.fromisoformat(started).timestamp())
    except (TypeError, ValueError):
        return None


def _queues(queues: Any) -> dict[str, dict[str, Any]]:
    """Returns length and age of each queue: `mail`, and the outbox of each service."""
    parts = _dict(queues)
    outboxes = {
        f"events of {name}": _dict(queue) for name, queue in _dict(parts.get("relay")).items()
    }
    return outboxes | ({"mail": _dict(parts["mail"])} if "mail" in parts else {})
