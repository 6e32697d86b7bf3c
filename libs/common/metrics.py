"""Prometheus metrics that every process has."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_FINE = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

SERVED = Histogram(
    "aero2_contract_seconds", "Time to answer a contract.", ["subject", "outcome"], buckets=_FINE
)
RUNNING = Gauge("aero2_contracts_running", "Contracts being answered now.")
REFUSED = Counter("aero2_contracts_refused_total", "Answered `busy` because the queue was full.")
HTTP = Histogram("aero2_http_seconds", "Time to answer HTTP.", ["route", "status"], buckets=_FINE)
CACHE = Counter("aero2_cache_total", "Cache reads.", ["cache", "outcome"])
OUTBOX_SENT = Counter("aero2_outbox_sent_total", "Audit events handed to the stream.")
OUTBOX_FAILED = Counter("aero2_outbox_failed_total", "Rounds of the relay that failed.")
MAIL = Counter("aero2_mail_total", "Mails by outcome.", ["outcome"])
HASHING = Gauge("aero2_hash_queue", "Password hashes waiting or running.")
