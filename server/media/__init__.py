"""The media plane: WebRTC connections whose packets are forwarded, never decoded.

Public face, used by `server/rooms` and `server/app`: `MediaRoom` and the data it takes and gives.
"""

from server.media.forwarder import MediaRoom
from server.media.model import (
    ConnectionChanged,
    MediaChange,
    MediaConfig,
    MediaRoomStats,
    PeerStats,
    QualityChanged,
    Recording,
    Slot,
    SlotsChanged,
    TurnServer,
)

__all__ = [
    "ConnectionChanged",
    "MediaChange",
    "MediaConfig",
    "MediaRoom",
    "MediaRoomStats",
    "PeerStats",
    "QualityChanged",
    "Recording",
    "Slot",
    "SlotsChanged",
    "TurnServer",
]
