"""Sound leaves the forwarding path bounded, in order, and without being able to hurt it."""

from __future__ import annotations

import asyncio

from server.media.audio_tap import PER_TURN, AudioTap
from transcription.decode import AudioPacket


def packet(number: int) -> AudioPacket:
    return AudioPacket("ada", b"\xf8", 960 * number, number, number / 50, 30)


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_packets_arrive_in_order_after_the_forwarding_path_is_done() -> None:
    heard: list[int] = []
    tap = AudioTap(lambda p: heard.append(p.sequence), 100)
    for number in range(5):
        tap.push(packet(number))
    assert heard == []
    await turns(2)
    assert heard == [0, 1, 2, 3, 4]


async def test_the_loop_gets_its_turn_between_batches() -> None:
    heard: list[int] = []
    tap = AudioTap(lambda p: heard.append(p.sequence), 1000)
    for number in range(PER_TURN + 1):
        tap.push(packet(number))
    await turns(1)
    assert len(heard) == PER_TURN
    await turns(2)
    assert len(heard) == PER_TURN + 1


async def test_the_oldest_are_dropped_and_counted_when_the_transcriber_is_behind() -> None:
    heard: list[int] = []
    tap = AudioTap(lambda p: heard.append(p.sequence), 3)
    for number in range(10):
        tap.push(packet(number))
    await turns(2)
    assert heard == [7, 8, 9] and tap.dropped == 7


async def test_a_failing_transcriber_is_counted_and_does_not_stop_the_sound() -> None:
    heard: list[int] = []

    def receive(one: AudioPacket) -> None:
        if one.sequence == 1:
            raise RuntimeError("broken")
        heard.append(one.sequence)

    tap = AudioTap(receive, 10)
    for number in range(3):
        tap.push(packet(number))
    await turns(2)
    assert heard == [0, 2] and tap.failed == 1


async def test_nothing_is_handed_on_after_closing() -> None:
    heard: list[int] = []
    tap = AudioTap(lambda p: heard.append(p.sequence), 10)
    tap.push(packet(0))
    tap.close()
    tap.push(packet(1))
    await turns(3)
    assert heard == []
