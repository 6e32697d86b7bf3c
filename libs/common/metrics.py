"""Prometheus metrics. A process exports only those that it maintains: a counter of another's work
would always be 0 and look like good news."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from weakref import WeakSet

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.registry import Collector

from common.version import VERSION

T = TypeVar("T")

_FINE = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

BUILD_INFO = Gauge(
    "aero2_build_info", "Always 1. The label is the version.", ["version"], registry=None
)
BUILD_INFO.labels(VERSION).set(1)
HEALTHY = Gauge(
    "aero2_healthy",
    "1 while NATS and the database answer this process, looked at every two seconds.",
    registry=None,
)
LOOP_LAG = Histogram(
    "aero2_event_loop_lag_seconds",
    "How late the event loop was for a timer, every two seconds.",
    buckets=_FINE,
    registry=None,
)
LOOP_TASKS = Gauge(
    "aero2_event_loop_tasks",
    "Tasks of the event loop that have not ended, counted every two seconds.",
    registry=None,
)
SERVED = Histogram(
    "aero2_contract_seconds",
    "Time to answer a contract.",
    ["subject", "outcome"],
    buckets=_FINE,
    registry=None,
)
RUNNING = Gauge("aero2_contracts_running", "Contracts being answered now.", registry=None)
REFUSED = Counter(
    "aero2_contracts_refused_total", "Answered `busy` because the queue was full.", registry=None
)
HTTP = Histogram(
    "aero2_http_seconds",
    "Time to answer HTTP.",
    ["method", "route", "status"],
    buckets=_FINE,
    registry=None,
)
OUTBOX_SENT = Counter(
    "aero2_outbox_sent_total", "Audit events handed to the stream.", registry=None
)
OUTBOX_FAILED = Counter(
    "aero2_outbox_failed_total", "Rounds of the relay that failed.", registry=None
)
OUTBOX_ROUNDS = Counter("aero2_outbox_rounds_total", "Rounds of the relay.", registry=None)
OUTBOX_SEQUENCE = Gauge(
    "aero2_outbox_stream_sequence",
    "Sequence of the message that the stream acknowledged last.",
    registry=None,
)
OUTBOX_WAITING = Gauge(
    "aero2_outbox_waiting",
    "Audit events that wait for the stream, 10,000 at most.",
    ["writer"],
    registry=None,
)
OUTBOX_AGE = Gauge(
    "aero2_outbox_age_seconds", "Since the oldest of them was written.", ["writer"], registry=None
)
STANDBY_LAG = Gauge(
    "aero2_database_standby_lag_seconds",
    "Since the standby that is furthest behind had what the primary has. NaN without a standby.",
    ["cluster"],
    registry=None,
)
SYNCHRONOUS_WANTED = Gauge(
    "aero2_database_synchronous_wanted",
    "1 if commits are to wait for a standby (synchronous_standby_names).",
    ["cluster"],
    registry=None,
)
SYNCHRONOUS_STANDBYS = Gauge(
    "aero2_database_synchronous_standbys",
    "Standbys for which commits wait.",
    ["cluster"],
    registry=None,
)
ARCHIVE_FAILING = Gauge(
    "aero2_database_archive_failing",
    "1 if the last attempt to archive WAL has failed.",
    ["cluster"],
    registry=None,
)
MAIL_WAITING = Gauge(
    "aero2_mail_waiting", "Mails that wait for delivery, 10,000 at most.", registry=None
)
MAIL_AGE = Gauge("aero2_mail_age_seconds", "Since the oldest of them was written.", registry=None)
STREAM_AVAILABLE = Gauge(
    "aero2_stream_available",
    "1 if the stream of audit events answers and has a leader, looked at every 15 seconds.",
    registry=None,
)
JETSTREAM = Gauge(
    "aero2_jetstream_enabled",
    "0 if the NATS server answers without JetStream. NaN if it does not answer.",
    registry=None,
)
STREAM_MESSAGES = Gauge("aero2_stream_messages", "Messages in the stream.", registry=None)
STREAM_BYTES = Gauge("aero2_stream_bytes", "Bytes of the stream.", registry=None)
STREAM_LIMIT = Gauge(
    "aero2_stream_limit_bytes",
    "Bytes that the stream may have. +Inf without a limit.",
    registry=None,
)
STREAM_SEQUENCE = Gauge(
    "aero2_stream_last_sequence", "Sequence of the newest message.", registry=None
)
STREAM_CREATED = Gauge(
    "aero2_stream_created_timestamp_seconds", "When the stream was made.", registry=None
)
STREAM_CONSUMERS = Gauge("aero2_stream_consumers", "Consumers of the stream.", registry=None)
STREAM_REPLICAS = Gauge(
    "aero2_stream_replicas", "Servers that are to keep a copy of the stream.", registry=None
)
STREAM_CURRENT = Gauge(
    "aero2_stream_replicas_current", "Servers whose copy is up to date.", registry=None
)
STREAM_LAG = Gauge(
    "aero2_stream_replica_lag",
    "Operations by which the copy that is furthest behind lags.",
    registry=None,
)
SEALING_LAG = Gauge(
    "aero2_sealing_lag_seconds",
    "Since this process heard of the oldest audit event that it has not sealed.",
    registry=None,
)
NATS = Gauge("aero2_nats_connected", "1 while connected to NATS.", registry=None)
NATS_RECONNECTS = Counter(
    "aero2_nats_reconnects_total", "Connections to NATS after the first one.", registry=None
)
MAIL = Counter("aero2_mail_total", "Mails by outcome.", ["outcome"], registry=None)
LIMITED = Counter("aero2_http_limited_total", "Refused by the gateway.", ["limit"], registry=None)
HTTP_RUNNING = Gauge("aero2_http_running", "HTTP requests that have a slot.", registry=None)
HTTP_WAITING = Gauge("aero2_http_waiting", "HTTP requests that wait for a slot.", registry=None)
HASHING = Gauge("aero2_hash_queue", "Password hashes waiting or running.", registry=None)
HASH_WAIT = Histogram(
    "aero2_hash_wait_seconds",
    "Time that a password hash waited for a thread.",
    buckets=_FINE,
    registry=None,
)
HASH_REFUSED = Counter(
    "aero2_hash_refused_total", "Password hashes refused because the queue was full.", registry=None
)
JOB_RUNS = Counter(
    "aero2_job_runs_total", "Rounds of periodic work.", ["name", "outcome"], registry=None
)
JOB_SUCCESS = Gauge(
    "aero2_job_last_success_timestamp_seconds",
    "When a round last succeeded. Before the first success: when the process began.",
    ["name"],
    registry=None,
)
JOB_INTERVAL = Gauge(
    "aero2_job_interval_seconds", "Longest pause between two rounds.", ["name"], registry=None
)


def maintain(*metrics: Collector) -> None:
    """Exports these metrics from now on. Called by the code that keeps them up to date."""
    for metric in metrics:
        if metric not in _maintained:
            _maintained.add(metric)
            REGISTRY.register(metric)


_maintained: set[Collector] = set()
_parts: dict[Gauge, WeakSet[Any]] = {}


def follow(
    gauge: Gauge,
    part: T,
    figure: Callable[[T], float],
    combine: Callable[[Iterable[float]], float] = sum,
) -> None:
    """Exports a gauge that combines the figures of its parts, for as long as they exist. A process of
    several services has a part of each."""
    parts = _parts.setdefault(gauge, WeakSet())
    parts.add(part)
    maintain(gauge)
    gauge.set_function(lambda: combine(figure(each) for each in parts))


def value_of(gauge: Gauge) -> float | None:
    """Returns the value of a gauge without labels. Returns None if this process does not maintain it."""
    if gauge not in _maintained:
        return None
    (metric,) = gauge.collect()
    return metric.samples[0].value
