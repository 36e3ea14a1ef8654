"""What the server counts and times: one registry and its metric objects, imported by whoever has something to count.

No label ever names a person, a room or a deliberation, so that the numbers may be shown to whoever runs the machine. Where several nodes run on
one machine (`PROMETHEUS_MULTIPROC_DIR` is set for them), each shows the sums over all.
"""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

REGISTRY = CollectorRegistry()

REQUESTS = Counter("parley_http_requests", "HTTP requests by route and status.", ["route", "status"], registry=REGISTRY)
REQUEST_SECONDS = Histogram("parley_http_request_seconds", "Time to answer a request.", ["route"], registry=REGISTRY)
REFUSED = Counter("parley_refused", "Requests and messages refused, by error code.", ["code"], registry=REGISTRY)

FAILURES = Counter(
    "parley_failures", "Parts that failed and were restarted or worked around.", ["part"], registry=REGISTRY
)
MESSAGES = Counter("parley_messages", "WebSocket messages from pages, by type.", ["type"], registry=REGISTRY)

SOCKETS = Gauge("parley_sockets", "Open WebSockets by role.", ["role"], registry=REGISTRY, multiprocess_mode="livesum")
ROOMS_OPEN = Gauge("parley_rooms_open", "Rooms that run on this node.", registry=REGISTRY, multiprocess_mode="livesum")
MEMBERS_PRESENT = Gauge(
    "parley_members_present",
    "Members who are present in rooms of this node.",
    registry=REGISTRY,
    multiprocess_mode="livesum",
)
WAITING = Gauge("parley_lobby_waiting", "People waiting for a group.", registry=REGISTRY, multiprocess_mode="livesum")
EVENTS = Counter("parley_events", "Events appended to rooms' logs, by kind.", ["kind"], registry=REGISTRY)
APPEND_SECONDS = Histogram("parley_append_seconds", "Time to store a batch of events.", registry=REGISTRY)

MEDIA_BYTES = Counter("parley_media_bytes", "Media bytes by direction.", ["direction"], registry=REGISTRY)
MEDIA_PEERS = Gauge("parley_media_peers", "Connected media peers.", registry=REGISTRY, multiprocess_mode="livesum")

CAPTION_SECONDS = Histogram(
    "parley_caption_seconds",
    "From the end of speech to its final text.",
    buckets=(0.25, 0.5, 1, 1.5, 2, 2.5, 3, 5, 8, 13, 20, 30),
    registry=REGISTRY,
)
TRANSCRIPTION_BEHIND = Gauge(
    "parley_transcription_behind_seconds", "The most that captions lag.", registry=REGISTRY, multiprocess_mode="livemax"
)
RECOGNISERS = Gauge(
    "parley_recognisers",
    "Speech recognisers that take work, on all machines.",
    ["device"],
    registry=REGISTRY,
    multiprocess_mode="livemax",
)
RECOGNISERS_ENDED = Counter("parley_recognisers_ended", "Speech recognisers that went away.", registry=REGISTRY)
SPEECH_QUEUE = Gauge(
    "parley_speech_queue",
    "Work that waits for a recogniser or is being read, on all machines.",
    ["kind"],
    registry=REGISTRY,
    multiprocess_mode="livemax",
)
FINALS_WAITING = Gauge(
    "parley_finals_waiting", "Utterances whose final text has not come.", registry=REGISTRY, multiprocess_mode="livesum"
)
FINALS_ON_DISK = Gauge(
    "parley_finals_on_disk", "Of those, how many wait on disk.", registry=REGISTRY, multiprocess_mode="livesum"
)
FINALS_LOST = Counter("parley_finals_lost", "Utterances that were never read.", registry=REGISTRY)
SPEECH_DISK_FULL = Gauge(
    "parley_speech_disk_full",
    "1 where utterances that wait cannot be put on disk; they stay in memory.",
    registry=REGISTRY,
    multiprocess_mode="livemax",
)
WORKERS = Gauge(
    "parley_workers", "Speech workers that run beside this node.", registry=REGISTRY, multiprocess_mode="livesum"
)

AI_CALLS = Counter(
    "parley_ai_calls", "Calls to the language model, by purpose and outcome.", ["purpose", "outcome"], registry=REGISTRY
)
INTERVENTIONS = Counter("parley_interventions", "What the facilitator said, by rule.", ["rule"], registry=REGISTRY)


SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


def exposition() -> bytes:
    """Return all metrics in Prometheus' text format."""
    if SHARED_FOLDER not in os.environ:
        return generate_latest(REGISTRY)
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return generate_latest(together)


def node_ended(process_id: int, folder: str) -> None:
    """Forget the gauges of a node that has ended; what it counted stays."""
    mark_process_dead(process_id, folder)  # type: ignore[no-untyped-call]
