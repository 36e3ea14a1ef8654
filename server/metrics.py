"""The server's Prometheus metrics, in one registry of their own.

Labels never carry ids, names or words. Imported by whoever has something to count; served by `GET /metrics`.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY = CollectorRegistry()

EVENTS = Counter("parley_events", "Events stored", registry=REGISTRY)
FAILURES = Counter("parley_failures", "Parts that failed and were restarted or worked around", ["part"], registry=REGISTRY)
ROOMS = Gauge("parley_rooms", "Rooms that run on this node", registry=REGISTRY)
SOCKETS = Gauge("parley_sockets", "Open WebSockets", ["role"], registry=REGISTRY)
WAITING = Gauge("parley_waiting", "People waiting for a group", registry=REGISTRY)
MESSAGES = Counter("parley_messages", "WebSocket messages from pages", ["type"], registry=REGISTRY)
REFUSED = Counter("parley_refused", "Requests and messages refused", ["code"], registry=REGISTRY)
CAPTION_SECONDS = Histogram(
    "parley_caption_final_seconds",
    "From the end of speech to the final caption",
    buckets=(0.25, 0.5, 1, 1.5, 2, 2.5, 3, 4, 6, 10, 20, 60),
    registry=REGISTRY,
)
CAPTIONS_BEHIND = Gauge("parley_captions_behind_seconds", "How far the slowest room's captions lag", registry=REGISTRY)
WORKERS = Gauge("parley_workers", "Recogniser processes started by this node that run", registry=REGISTRY)
MODEL_CALLS = Counter("parley_model_calls", "Calls to the language model", ["purpose", "outcome"], registry=REGISTRY)


def exposition() -> bytes:
    """Return everything in Prometheus's text format."""
    return generate_latest(REGISTRY)
