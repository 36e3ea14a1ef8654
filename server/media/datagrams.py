"""Many datagrams per system call: what makes forwarding in Python cheap enough.

Owns the process's receive buffers (`Inbox`) and the queue of packets that one wake-up produced (`Outbox`). On Linux a batch is taken by
recvmmsg(2) and sent by sendmmsg(2), and packets of one size to one peer go down as one segmented datagram (UDP_SEGMENT, udp(7)), which
costs the kernel a fraction of single ones. Elsewhere each datagram is a call of its own. Never looks inside a datagram. Called by `udp`
and `streams`, on the event loop's thread.

Invariants: everything added to the outbox in a wake-up is sent before that wake-up ends (`flush`), so no packet waits for the next one;
a buffer that was added must not change before `round` does.
"""

from __future__ import annotations

import ctypes
import errno
import ipaddress
import socket
import struct
import sys
from typing import Any, NamedTuple

from pylibsrtp._binding import ffi

Address = tuple[str, int]

BUFFER_BYTES = 2048
MAX_DATAGRAM = 1600
"""Longest datagram that is received; anything longer is cut and fails authentication."""
BATCH = 32
"""Datagrams that are taken per wake-up of a socket, so that one busy room does not starve the loop."""
MAX_ENTRIES = 256
MAX_SEGMENTS = 32
MAX_SEGMENTED_BYTES = 60_000

_SOL_UDP, _UDP_SEGMENT = 17, 103
# struct mmsghdr, struct iovec and struct cmsghdr of 64-bit Linux.
_HEADER = struct.Struct("=QI4xQQQQI4xI4x")
_VECTOR = struct.Struct("=QQ")
_CONTROL = struct.Struct("=QiiH6x")
_NAME_BYTES = 28


def _system_calls() -> tuple[Any, Any] | None:
    if sys.platform != "linux" or struct.calcsize("P") != 8:
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        receive, send = libc.recvmmsg, libc.sendmmsg
    except AttributeError:
        return None
    receive.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p]
    send.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int]
    return receive, send


SYSTEM_CALLS = _system_calls()
"""(recvmmsg, sendmmsg), or None where there are none."""


class Buffer(NamedTuple):
    """Memory that C, Python and the kernel all see."""

    c: Any
    """For libsrtp."""
    view: memoryview
    pointer: int
    """For the kernel."""


def new_buffer(octets: bytes = b"") -> Buffer:
    """Return `BUFFER_BYTES` of memory that begin with `octets`."""
    c = ffi.new(f"unsigned char[{BUFFER_BYTES}]")
    view = memoryview(ffi.buffer(c))
    view[: len(octets)] = octets
    return Buffer(c, view, int(ffi.cast("uintptr_t", c)))


def new_length() -> Any:
    """Return a C int, as libsrtp takes lengths: `x[0]`."""
    return ffi.new("int *")


def socket_name(address: Address) -> bytes:
    """Return an address as the kernel writes it (struct sockaddr_in or sockaddr_in6, flow and scope zero)."""
    ip = ipaddress.ip_address(address[0])
    if ip.version == 4:
        return struct.pack("=H", socket.AF_INET) + struct.pack("!H", address[1]) + ip.packed + bytes(8)
    return struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", address[1], 0) + ip.packed + bytes(4)


def address_of(name: bytes) -> Address:
    """Return the address that `socket_name` wrote."""
    host = name[4:8] if len(name) == 16 else name[8:24]
    return str(ipaddress.ip_address(host)), name[2] << 8 | name[3]


class Inbox:
    """The receive buffers of this process; what is in them counts until the next `receive`."""

    def __init__(self) -> None:
        self.buffers = [new_buffer() for _ in range(BATCH)]
        self.views = [buffer.view for buffer in self.buffers]
        self.lengths: list[int] = [0] * BATCH
        self.names: list[bytes] = [b""] * BATCH
        self._headers = new_table(BATCH, _HEADER.size)
        self._vectors = new_table(BATCH, _VECTOR.size)
        self._sources = new_table(BATCH, _NAME_BYTES)
        for place, buffer in enumerate(self.buffers):
            _VECTOR.pack_into(self._vectors.view, place * _VECTOR.size, buffer.pointer, MAX_DATAGRAM)
            _HEADER.pack_into(
                self._headers.view, place * _HEADER.size, self._sources.pointer + place * _NAME_BYTES, _NAME_BYTES,
                self._vectors.pointer + place * _VECTOR.size, 1, 0, 0, 0, 0,
            )  # fmt: skip
        self._words = self._headers.view.cast("I")

    def receive(self, sock: socket.socket, name_size: int) -> int:
        """Take up to `BATCH` waiting datagrams; returns how many. Their lengths and senders' names are in `lengths` and `names`.

        Args:
            sock: non-blocking.
            name_size: of the socket's family: 16 for IPv4, 28 for IPv6.
        """
        if SYSTEM_CALLS is None:
            return self._receive_singly(sock)
        words = self._words
        count = int(SYSTEM_CALLS[0](sock.fileno(), self._headers.pointer, BATCH, 0, None))
        sources, at, word = self._sources.view, 0, 2
        for place in range(count):
            self.names[place] = bytes(sources[at : at + name_size])
            self.lengths[place] = words[word + 12]
            # The kernel shortens the name's size to the sender's.
            words[word] = _NAME_BYTES
            at += _NAME_BYTES
            word += 16
        return max(0, count)

    def _receive_singly(self, sock: socket.socket) -> int:
        for place in range(BATCH):
            try:
                self.lengths[place], address = sock.recvfrom_into(self.views[place], MAX_DATAGRAM)
            except OSError:
                return place
            self.names[place] = socket_name(address[:2])
        return BATCH


def new_table(count: int, size: int) -> Buffer:
    """Return zeroed memory for `count` records of `size` bytes."""
    c = ffi.new(f"unsigned char[{count * size}]")
    return Buffer(c, memoryview(ffi.buffer(c)), int(ffi.cast("uintptr_t", c)))


class Lane:
    """The way to one peer: a socket, an address, and that as `socket_name` writes it. Its packets of one wake-up wait in `packets` for the flush."""

    __slots__ = ("_name", "address", "name_pointer", "name_size", "packets", "segments", "sock")

    def __init__(self, sock: socket.socket, address: Address, name: bytes) -> None:
        self.sock = sock
        self.address = address
        self._name = new_table(1, _NAME_BYTES)
        self._name.view[: len(name)] = name
        self.name_pointer, self.name_size = self._name.pointer, len(name)
        self.packets: list[tuple[Buffer, int]] = []
        self.segments = True
        """Whether equal packets may go as one segmented datagram; False once the kernel or the device refused."""


class Outbox:
    """What one wake-up has to send. Unbounded within a wake-up, which takes at most `BATCH` datagrams; empty between two."""

    def __init__(self) -> None:
        self.round = 0
        """Rises with every flush; buffers that were added in an earlier round are free."""
        self.unsent = 0
        """Datagrams that the system did not take: its buffers are full, or it knows no way."""
        self.lanes: list[Lane] = []
        """Lanes with packets; who appends to an empty `Lane.packets` appends the lane here."""
        self._headers = new_table(MAX_ENTRIES, _HEADER.size)
        self._controls = new_table(MAX_ENTRIES, _CONTROL.size)
        self._vectors = new_table(MAX_ENTRIES * 4, _VECTOR.size)
        self._entries: list[tuple[Lane, list[tuple[Buffer, int]]]] = []
        self._vector_count = 0

    def add(self, lane: Lane, buffer: Buffer, size: int) -> None:
        """Queue the first `size` bytes of `buffer` for a peer."""
        if not lane.packets:
            self.lanes.append(lane)
        lane.packets.append((buffer, size))

    def flush(self) -> None:
        """Send everything that is queued."""
        lanes = self.lanes
        if not lanes:
            return
        self.round += 1
        self.lanes = []
        for lane in lanes:
            packets, lane.packets = lane.packets, []
            if SYSTEM_CALLS is None:
                self._send_singly(lane, packets)
            else:
                self._enter(lane, packets)
        self._send()

    def _enter(self, lane: Lane, packets: list[tuple[Buffer, int]]) -> None:
        at, count = 0, len(packets)
        while at < count:
            size = packets[at][1]
            end = at + 1
            if lane.segments:
                limit = min(count, at + MAX_SEGMENTS, at + MAX_SEGMENTED_BYTES // size)
                while end < limit and packets[end][1] == size:
                    end += 1
                if at + 1 < end < limit and packets[end][1] < size:
                    # Only the last segment may be shorter.
                    end += 1
            self._put(lane, packets[at:end] if end - at < count else packets, size)
            at = end

    def _put(self, lane: Lane, run: list[tuple[Buffer, int]], size: int) -> None:
        entries = self._entries
        length = len(run)
        if entries and (
            entries[-1][0].sock is not lane.sock
            or len(entries) == MAX_ENTRIES
            or self._vector_count + length > MAX_ENTRIES * 4
        ):
            self._send()
            entries = self._entries
        vector = self._vector_count
        vectors = self._vectors
        for place, (buffer, octets) in enumerate(run, vector):
            _VECTOR.pack_into(vectors.view, place * 16, buffer.pointer, octets)
        number = len(entries)
        control = control_size = 0
        if length > 1:
            control_size = 24
            _CONTROL.pack_into(self._controls.view, number * 24, 18, _SOL_UDP, _UDP_SEGMENT, size)
            control = self._controls.pointer + number * 24
        _HEADER.pack_into(
            self._headers.view, number * 64, lane.name_pointer, lane.name_size, vectors.pointer + vector * 16, length,
            control, control_size, 0, 0,
        )  # fmt: skip
        entries.append((lane, run))
        self._vector_count = vector + length

    def _send(self) -> None:
        entries, self._entries = self._entries, []
        self._vector_count = 0
        assert SYSTEM_CALLS is not None or not entries, "entries are made for sendmmsg only"
        done = 0
        while done < len(entries) and SYSTEM_CALLS is not None:
            descriptor = entries[0][0].sock.fileno()
            if descriptor < 0:
                return
            sent = SYSTEM_CALLS[1](descriptor, self._headers.pointer + done * 64, len(entries) - done, 0)
            if sent > 0:
                done += sent
                continue
            lane, run = entries[done]
            if len(run) > 1 and ctypes.get_errno() in (errno.EINVAL, errno.EIO, errno.EMSGSIZE, errno.EOPNOTSUPP):
                lane.segments = False
                self._send_singly(lane, run)
            else:
                self.unsent += len(run)
            done += 1

    def _send_singly(self, lane: Lane, packets: list[tuple[Buffer, int]]) -> None:
        for buffer, size in packets:
            try:
                lane.sock.sendto(buffer.view[:size], lane.address)
            except OSError:
                self.unsent += 1


INBOX = Inbox()
OUTBOX = Outbox()
"""One of each per process: everything here happens on the event loop's thread."""
