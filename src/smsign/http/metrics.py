"""The metrics at /metrics, in the Prometheus text format.

With several server processes, prometheus-client adds them up through files in the folder that
PROMETHEUS_MULTIPROC_DIR names; `smsign serve` makes it before this module is imported.
"""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

_seconds = Histogram(
    "smsign_request_seconds",
    "Time until the response, in seconds; its count is the number of requests.",
    ["route", "method", "status", "code"],
    buckets=_BUCKETS,
)
_waiting = Gauge(
    "smsign_signatures_in_audit", "Signatures that wait for a decision.", multiprocess_mode="mostrecent"
)
_delivery_seconds = Histogram(
    "smsign_delivery_seconds",
    "Time of one delivery attempt to a callback, in seconds; its count is the number of attempts.",
    ["format", "outcome"],
    buckets=_BUCKETS,
)
_outbox = Gauge(
    "smsign_outbox_events", "Events that wait in the outbox for delivery.", multiprocess_mode="mostrecent"
)
_outbox_age = Gauge(
    "smsign_outbox_oldest_seconds", "Age of the oldest of them, in seconds.", multiprocess_mode="mostrecent"
)

_ledger_faults = Gauge(
    "smsign_ledger_faults", "Faults that the last verification found.", multiprocess_mode="mostrecent"
)
_ledger_verified = Gauge(
    "smsign_ledger_verified_timestamp_seconds",
    "When the ledger was last verified by a server, in seconds since 1970.",
    multiprocess_mode="mostrecent",
)

_children: dict[tuple[str, str, int, int], Histogram] = {}


def observe(route: str, method: str, status: int, code: int, seconds: float) -> None:
    """Count one request and the time until its response."""
    key = (route, method, status, code)
    child = _children.get(key)
    if child is None:
        child = _children[key] = _seconds.labels(route, method, str(status), str(code))
    child.observe(seconds)


def observe_delivery(format: str, outcome: str, seconds: float) -> None:
    """Count one delivery attempt in a callback format, and the time that it took."""
    _delivery_seconds.labels(format, outcome).observe(seconds)


def observe_verification(faults: int, at_s: float) -> None:
    """Set the result of a verification of the ledger."""
    _ledger_faults.set(faults)
    _ledger_verified.set(at_s)


def render(waiting: float, *, outbox: float, oldest_s: float) -> bytes:
    """Return all metrics as text.

    `waiting` is the number of signatures in the audit, `outbox` the number of events in the outbox,
    `oldest_s` the age of the oldest of these in seconds.
    """
    _waiting.set(waiting)
    _outbox.set(outbox)
    _outbox_age.set(oldest_s)
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
