"""The hot loop, in C where the installation could build it (`_packets.c`), else in Python (`emitter`, `datagrams`): one interface.

Callers take `Emitter`, `Lane`, `OUTBOX`, `open_packet` and `parse_vp8` from here and do not see which it is. `PARLEY_PURE_PYTHON=1` in
the environment keeps to Python.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from server.media import datagrams, emitter, rtp, srtp
from server.media.datagrams import Address, socket_name

if TYPE_CHECKING:
    from server.media.datagrams import OUTBOX, Lane
    from server.media.emitter import Emitter, open_packet
    from server.media.rtp import parse_vp8

__all__ = ["ACCELERATED", "OUTBOX", "Emitter", "Lane", "lane", "open_packet", "parse_vp8"]

ACCELERATED = False
"""Whether the C is in use."""

if not TYPE_CHECKING:
    OUTBOX, Lane = datagrams.OUTBOX, datagrams.Lane
    Emitter, open_packet, parse_vp8 = emitter.Emitter, emitter.open_packet, rtp.parse_vp8
    try:
        from server.media import _packets
    except ImportError:
        _packets = None
    if _packets is not None and os.environ.get("PARLEY_PURE_PYTHON") != "1":
        _packets.setup(*srtp.function_pointers(), rtp.Vp8Descriptor)
        OUTBOX, Lane, Emitter = _packets.Outbox(), _packets.Lane, _packets.Emitter
        open_packet, parse_vp8 = _packets.open_packet, _packets.parse_vp8
        ACCELERATED = True


def lane(sock: socket.socket, address: Address) -> Lane:
    """Return the way to an address from a socket."""
    return Lane(sock, address, socket_name(address))
