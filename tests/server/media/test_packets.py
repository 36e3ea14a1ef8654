"""The C and the Python of the hot loop do the same, octet for octet."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pylibsrtp import Policy, Session

from server.media import emitter, packets, rtp
from server.media.datagrams import Outbox, new_buffer
from server.media.rtp import NO_VP8, ExtensionIds, header_template
from server.media.srtp import context_of

needs_c = pytest.mark.skipif(not packets.ACCELERATED, reason="the extension was not built here, or PARLEY_PURE_PYTHON is set")
KEY = bytes(range(44))


def session(direction: int) -> Session:
    policy = Policy(key=KEY, ssrc_type=direction, srtp_profile=Policy.SRTP_PROFILE_AEAD_AES_256_GCM)
    policy.allow_repeat_tx = True
    return Session(policy)


class Stream:
    """An emitter of one kind, over a relay or over a socket, and what it sent, still protected."""

    def __init__(self, kind: Any, ids: ExtensionIds) -> None:
        self.sent: list[bytes] = []
        template = header_template(7, ids, "3")
        self.emitter = kind(
            120, template.octets, template.send_time_at, template.level_at,
            lambda data, address: self.sent.append(bytes(data)), ("192.0.2.1", 9),
        )  # fmt: skip
        self.session = session(Policy.SSRC_ANY_OUTBOUND)
        self.emitter.context = context_of(self.session)


descriptors = st.builds(
    lambda flags, picture, tl0, layer, wide: bytes(
        [0x90, flags]
        + ([0x80 | picture >> 8, picture & 0xFF] if wide else [picture & 0x7F]) * bool(flags & 0x80)
        + [tl0] * bool(flags & 0x40)
        + [layer] * bool(flags & 0x30)
    ),
    st.sampled_from([0x80, 0xC0, 0xE0, 0xF0, 0x20, 0x40, 0x00]),
    st.integers(0, 0x7FFF), st.integers(0, 255), st.integers(0, 255), st.booleans(),
)  # fmt: skip


@needs_c
@settings(max_examples=200, deadline=None)
@given(
    marker=st.sampled_from([0, 0x80]), number=st.integers(0, 1 << 40), timestamp=st.integers(0, 0xFFFFFFFF), head=descriptors,
    body=st.binary(min_size=2, max_size=1200), level=st.integers(0, 127), picture=st.integers(-40_000, 40_000),
    timestamp_shift=st.integers(-(1 << 40), 1 << 40), tl0_shift=st.integers(-300, 300), video=st.booleans(), again=st.booleans(),
)  # fmt: skip
def test_a_packet_out_is_the_same(
    marker: int, number: int, timestamp: int, head: bytes, body: bytes, level: int, picture: int, timestamp_shift: int,
    tl0_shift: int, video: bool, again: bool,
) -> None:  # fmt: skip
    ids = ExtensionIds(mid=4, abs_send_time=2) if video else ExtensionIds(mid=4, audio_level=1)
    payload = head + body
    vp8 = rtp.parse_vp8(payload) or NO_VP8
    streams = Stream(emitter.Emitter, ids), Stream(packets.Emitter, ids)
    for stream in streams:
        out = stream.emitter
        out.timestamp_shift, out.tl0_shift = timestamp_shift, tl0_shift
        if again:
            out.emit_rtx(99, 121, 5, marker, number & 0xFFFF, timestamp, payload, b"abc", vp8, picture)
        out.emit(marker, number, timestamp, payload, b"abc", level, vp8, picture)
        assert (out.packets, out.octets, out.errors) == (1, len(payload), 0)
    assert streams[0].sent == streams[1].sent
    assert len(streams[0].sent) == 1 + again


@needs_c
@settings(max_examples=300, deadline=None)
@given(payload=st.one_of(st.binary(max_size=12), st.builds(lambda d, b: d + b, descriptors, st.binary(max_size=3))))
def test_a_vp8_descriptor_is_read_the_same(payload: bytes) -> None:
    assert packets.parse_vp8(payload) == rtp.parse_vp8(payload)


@needs_c
@settings(max_examples=300, deadline=None)
@given(
    flags=st.integers(0, 255), rest=st.binary(min_size=0, max_size=80), tamper=st.booleans(), level_id=st.integers(0, 15),
    cc_id=st.integers(0, 15),
)  # fmt: skip
@example(flags=0xB0, rest=b"\xbe\xde\x00\x01\x10\x55\x00\x00" + b"x" * 9 + b"\x03", tamper=False, level_id=1, cc_id=3)
def test_a_packet_in_is_read_the_same(flags: int, rest: bytes, tamper: bool, level_id: int, cc_id: int) -> None:
    plain = bytes([flags & 0x3F | 0x80, 111, 0, 9, 0, 0, 0, 8, 0, 0, 0, 7]) + rest
    sender = session(Policy.SSRC_ANY_OUTBOUND)
    try:
        protected = bytearray(sender.protect(plain))
    except Exception:
        # libsrtp does not protect a header that runs over the packet's end; it must not open one either.
        protected = bytearray(plain + bytes(16))
    if tamper:
        protected[-1] ^= 1
    results = []
    for function in (emitter.open_packet, packets.open_packet):
        receiver = session(Policy.SSRC_ANY_INBOUND)
        buffer = new_buffer(bytes(protected))
        results.append(function(context_of(receiver), buffer, len(protected), level_id, cc_id))
    assert results[0] == results[1]


@needs_c
@pytest.mark.parametrize("length", [0, 11])
def test_what_is_no_rtp_packet_is_refused_before_it_is_read(length: int) -> None:
    context = session(Policy.SSRC_ANY_INBOUND)
    assert packets.open_packet(context_of(context), new_buffer(), length, 1, 3) is None
    assert emitter.open_packet(context_of(context), new_buffer(), length, 1, 3) is None


@needs_c
def test_more_packets_than_the_arena_holds_all_go_out_in_order() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        there.bind(("127.0.0.1", 0))
        there.settimeout(5)
        stream = Stream(packets.Emitter, ExtensionIds())
        stream.emitter.lane = packets.lane(here, there.getsockname())
        receiver = session(Policy.SSRC_ANY_INBOUND)
        for first in range(0, 3000, 100):
            # Drained as it goes: only the queue of the outbox is what is tested here.
            for number in range(first, first + 100):
                stream.emitter.emit(0, number, 0, number.to_bytes(2, "big") * 8, b"abc", 0, NO_VP8, 0)
            if first % 500 == 400:
                packets.OUTBOX.flush()
                for number in range(first - 400, first + 100):
                    assert receiver.unprotect(there.recv(2048))[12:] == number.to_bytes(2, "big") * 8


@needs_c
def test_wrong_arguments_are_errors_and_nothing_is_sent() -> None:
    stream = Stream(packets.Emitter, ExtensionIds())
    out: Any = stream.emitter
    for arguments in [(), (0, 1, 2, "text", b"abc", 0, NO_VP8, 0), (0, 1, 2, b"x", b"a", 0, NO_VP8, 0), (0, 1, 2, b"xy", b"abc", 0, (), 1)]:
        with pytest.raises(TypeError):
            out.emit(*arguments)
    with pytest.raises(TypeError):
        out.lane = Outbox()
    with pytest.raises(TypeError):
        out.context = 5
    out.emit(0, 1, 2, bytes(4000), b"abc", 0, NO_VP8, 0)
    out.context = None
    out.emit(0, 1, 2, b"xy", b"abc", 0, NO_VP8, 0)
    assert out.errors == 2 and not stream.sent


@needs_c
def test_the_media_plane_works_without_the_extension_as_well() -> None:
    here = Path(__file__).parent
    names = ["test_streams.py", "test_room_slots.py", "test_hostile_peers.py", "test_room_with_aiortc.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(str(here / name) for name in names)],
        env={**os.environ, "PARLEY_PURE_PYTHON": "1"}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
