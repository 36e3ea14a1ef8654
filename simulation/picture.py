"""What the bots look like: a small moving picture, encoded to VP8 once and then repeated.

Owns the drawing and the outgoing video's pacing. Encoding a loop takes about a tenth of a second, once a bot and process; sending it costs
no encoding at all, so that many bots fit on one core. A loop begins with a keyframe, so a keyframe request is answered by starting over.
"""

from __future__ import annotations

import asyncio
import colorsys
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

import av
import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av.packet import Packet

WIDTH, HEIGHT, FPS = 320, 180, 10
LOOP_FRAMES = 30
VIDEO_CLOCK = 90_000
BIT_RATE = 120_000


@lru_cache(maxsize=64)
def loop(hue: float, speaking: bool) -> tuple[bytes, ...]:
    """Return `LOOP_FRAMES` VP8 frames, the first a keyframe: a figure that sways, its mouth moving when `speaking`. Blocking."""
    encoder = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.bit_rate = BIT_RATE
    encoder.gop_size = LOOP_FRAMES * 2
    encoder.time_base = Fraction(1, FPS)
    encoder.thread_count = 1
    encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "error-resilient": "1"}
    frames = []
    for index in range(LOOP_FRAMES):
        frame = av.VideoFrame.from_ndarray(_draw(hue, index, speaking), format="rgb24").reformat(format="yuv420p")
        frame.pts = index
        frame.time_base = Fraction(1, FPS)
        frames += [bytes(packet) for packet in encoder.encode(frame)]
    assert len(frames) == LOOP_FRAMES, "a realtime encoder gives one packet a frame"
    return tuple(frames)


def _draw(hue: float, index: int, speaking: bool) -> np.ndarray[Any, Any]:
    turn = 2 * np.pi * index / LOOP_FRAMES
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    cx, cy = WIDTH / 2 + 14 * np.sin(turn), 76 + 3 * np.cos(2 * turn)
    picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    shade = (0.30 + 0.18 * y / HEIGHT)[..., None]
    picture[:] = (shade * 255 * np.array(colorsys.hsv_to_rgb(hue, 0.5, 1.0))).astype(np.uint8)
    skin = np.array(colorsys.hsv_to_rgb(0.07, 0.35, 0.95)) * 255
    coat = np.array(colorsys.hsv_to_rgb((hue + 0.5) % 1, 0.55, 0.75)) * 255
    picture[((x - cx) / 78) ** 2 + ((y - 190) / 72) ** 2 < 1] = coat
    picture[((x - cx) / 36) ** 2 + ((y - cy) / 46) ** 2 < 1] = skin
    for side in (-13, 13):
        picture[(x - cx - side) ** 2 + (y - cy + 10) ** 2 < 16] = 30
    opening = 3 + (5 * abs(np.sin(index * 1.3)) if speaking else 0)
    picture[((x - cx) / 12) ** 2 + ((y - cy - 22) / opening) ** 2 < 1] = (120, 40, 50)
    return picture


class PictureTrack(MediaStreamTrack):
    """The moving picture as encoded frames. `speaking` tells whether the mouth moves; asked once a frame."""

    kind = "video"

    def __init__(self, hue: float, speaking: Callable[[], bool]) -> None:
        super().__init__()
        self._hue = hue
        self._speaking = speaking
        self._mouth = False
        self._index = 0
        self._count = 0
        self._start: float | None = None

    def keyframe(self) -> None:
        """Start over with a keyframe."""
        self._index = 0

    async def recv(self) -> Packet[Any]:
        """Return the next frame, paced to real time."""
        if self.readyState != "live":
            raise MediaStreamError
        now = asyncio.get_running_loop().time()
        if self._start is None:
            self._start = now
        at = self._start + self._count / FPS
        if now - at > 1:  # a stall is not made up for
            self._count += int((now - at) * FPS)
        elif at > now:
            await asyncio.sleep(at - now)
        mouth = self._speaking()
        if mouth != self._mouth:
            self._mouth, self._index = mouth, 0
        frames = await asyncio.to_thread(loop, self._hue, mouth) if self._index == 0 else loop(self._hue, mouth)
        packet = Packet(frames[self._index])
        packet.pts = self._count * VIDEO_CLOCK // FPS
        packet.time_base = Fraction(1, VIDEO_CLOCK)
        self._count += 1
        self._index = (self._index + 1) % LOOP_FRAMES
        return packet
