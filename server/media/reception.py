"""What we know about a stream that we receive: losses, jitter, its clock, what to ask for again (pure; time is an argument).

Owns the receiver's side of RFC 3550 (appendices A.3, A.8), of RFC 4585 NACKs and of transport-wide feedback. Never does I/O. Called by
`streams` and `peer`.
"""

from __future__ import annotations

from server.media import rtcp
from server.media.rtp import unwrap


class ReceptionStatistics:
    """Counts for the report blocks that we send about one source."""

    __slots__ = (
        "_base", "_expected_before", "_jitter", "_received_before", "_sr_arrival", "_sr_middle", "_transit", "clock_rate",
        "highest", "lost_fraction", "received", "ssrc",
    )  # fmt: skip

    def __init__(self, ssrc: int, clock_rate: int) -> None:
        self.ssrc = ssrc
        self.clock_rate = clock_rate
        self.highest = -1
        """Unwrapped; -1 before the first packet."""
        self.received = 0
        self.lost_fraction = 0.0
        """In the last interval that was reported, 0..1."""
        self._base = 0
        self._expected_before = 0
        self._received_before = 0
        self._transit: float | None = None
        self._jitter = 0.0
        self._sr_middle = 0
        self._sr_arrival = 0.0

    def add(self, source: int, timestamp: int, at: float) -> None:
        """Count a packet with unwrapped number `source` that arrived at `at` seconds."""
        self.received += 1
        if self.highest < 0:
            self._base = source
        elif source <= self.highest:
            return
        self.highest = source
        transit = at * self.clock_rate - timestamp
        if self._transit is not None:
            change = abs(transit - self._transit)
            if change < self.clock_rate:
                self._jitter += (change - self._jitter) / 16
        self._transit = transit

    def sender_report(self, ntp: int, at: float) -> None:
        """Note an SR, for LSR and DLSR."""
        self._sr_middle, self._sr_arrival = rtcp.middle_ntp(ntp), at

    def report(self, at: float) -> rtcp.ReportBlock | None:
        """Return the block for now and begin the next interval; None before the first packet."""
        if self.highest < 0:
            return None
        expected = self.highest - self._base + 1
        interval = expected - self._expected_before
        lost = interval - (self.received - self._received_before)
        self.lost_fraction = max(0, lost) / interval if interval > 0 else 0.0
        self._expected_before, self._received_before = expected, self.received
        delay = int((at - self._sr_arrival) * 65536) if self._sr_middle else 0
        return rtcp.ReportBlock(
            ssrc=self.ssrc,
            fraction_lost=self.lost_fraction,
            lost=expected - self.received,
            highest=self.highest,
            jitter=int(self._jitter),
            last_sr=self._sr_middle,
            delay=max(0, min(delay, 0xFFFFFFFF)),
        )


class NackTracker:
    """Which packets of a source are missing and when to ask for them again.

    At most `LIMIT` packets are tracked: when more are missing, nothing is asked for and a keyframe is wanted instead. A packet is asked for
    at most `TRIES` times.
    """

    LIMIT = 128
    TRIES = 8

    __slots__ = ("_missing",)

    def __init__(self) -> None:
        self._missing: dict[int, tuple[float, int]] = {}

    def __len__(self) -> int:
        return len(self._missing)

    def gap(self, first: int, last: int) -> bool:
        """Note that `first` to `last` did not come before what follows; returns False where a keyframe is the better cure."""
        if len(self._missing) + last - first + 1 > self.LIMIT:
            self._missing.clear()
            return False
        for source in range(first, last + 1):
            self._missing[source] = (0.0, 0)
        return True

    def arrived(self, source: int) -> None:
        """Note that a packet came after all."""
        self._missing.pop(source, None)

    def due(self, at: float, round_trip: float) -> list[int]:
        """Return the 16-bit numbers to ask for now, oldest first; they are not due again for a round trip (seconds)."""
        wanted: list[int] = []
        for source, (next_at, tries) in sorted(self._missing.items()):
            if next_at <= at:
                wanted.append(source & 0xFFFF)
                if tries + 1 == self.TRIES:
                    del self._missing[source]
                else:
                    self._missing[source] = (at + max(0.03, 1.2 * round_trip), tries + 1)
        return wanted


class TransportFeedback:
    """Arrival times of everything one peer sends, for its own congestion control. At most `LIMIT` arrivals are kept between two reports."""

    LIMIT = 2000

    __slots__ = ("_arrivals", "_highest", "_reported", "count")

    def __init__(self) -> None:
        self._arrivals: dict[int, float] = {}
        self._highest = -1
        self._reported = -1
        self.count = 0

    def add(self, sequence: int, at: float) -> None:
        """Note that the packet with the 16-bit transport-wide number `sequence` arrived at `at` seconds."""
        number = unwrap(sequence, self._highest) if self._highest >= 0 else sequence + 0x10000
        if number > self._highest:
            self._highest = number
        if number > self._reported and len(self._arrivals) < self.LIMIT:
            self._arrivals.setdefault(number, at)

    def take(self, ssrc: int, media_ssrc: int) -> list[bytes]:
        """Return the feedback packets for what arrived since the last call; empty if nothing did."""
        packets: list[bytes] = []
        arrivals = sorted(self._arrivals.items())
        self._arrivals.clear()
        while arrivals:
            # Starting where the last report ended tells of the packets lost in between.
            base = arrivals[0][0]
            if 0 <= self._reported < base and base - self._reported < rtcp.MAX_FEEDBACK_SPAN:
                base = self._reported + 1
            end = next((i for i, a in enumerate(arrivals) if a[0] - base >= rtcp.MAX_FEEDBACK_SPAN), len(arrivals))
            packets.append(rtcp.transport_feedback(ssrc, media_ssrc, self.count, base, arrivals[:end]))
            self.count += 1
            self._reported = arrivals[end - 1][0]
            del arrivals[:end]
        return packets


class SourceClock:
    """Maps one source's RTP timestamps to room time, by its sender reports; before the first one, by its first packet.

    The sender's wall clock is moved to ours by `offset`, which all sources of one member share, so that their sound and picture stay in
    step.
    """

    __slots__ = ("_at", "_timestamp", "clock_rate", "reported")

    def __init__(self, clock_rate: int) -> None:
        self.clock_rate = clock_rate
        self.reported = False
        self._timestamp: int | None = None
        self._at = 0.0

    def first_packet(self, timestamp: int, at: float) -> None:
        """Anchor the clock on an arrival, until a report does better."""
        if self._timestamp is None:
            self._timestamp, self._at = timestamp, at

    def sender_report(self, timestamp: int, at: float) -> None:
        """Anchor the clock: `timestamp` was sampled at room time `at`."""
        self._timestamp, self._at, self.reported = timestamp, at, True

    def timestamp_at(self, at: float) -> int | None:
        """Return the 32-bit RTP timestamp of room time `at`; None before the first packet."""
        if self._timestamp is None:
            return None
        return (self._timestamp + round((at - self._at) * self.clock_rate)) & 0xFFFFFFFF

    def time_of(self, timestamp: int) -> float | None:
        """Return the room time at which the sample with that 32-bit timestamp was taken; None before the first packet."""
        if self._timestamp is None:
            return None
        distance = ((timestamp - self._timestamp + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        return self._at + distance / self.clock_rate
