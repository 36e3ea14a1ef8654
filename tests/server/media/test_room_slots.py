"""Who is shown to whom when there are more people than places, and a room whose listeners fail."""

from __future__ import annotations

from benchmarks._light_peer import AUDIO, join
from server.media import MediaConfig, MediaRoom, SlotsChanged
from tests.server.media.clients import media_room, until


async def test_with_more_people_than_places_the_named_and_then_the_speaking_are_shown() -> None:
    async with media_room() as (room, heard):
        viewer = await join(room, "viewer", publish=False, slots=1)
        people = {name: await join(room, name, slots=0) for name in ("ada", "ben", "cy")}
        await until(lambda: all(p.state == "connected" for p in room.stats().peers.values()))

        def shown() -> str | None:
            (audio, video) = room.slots("viewer")
            assert audio.member_id == video.member_id
            return audio.member_id

        await until(lambda: shown() == "ada")
        heard.changes.clear()
        room.set_priority(["cy", "ben"])
        assert shown() == "cy" and SlotsChanged("viewer") in heard.changes
        room.set_priority([])
        # Speech moves its speaker to the front within a second.
        speaker = people["ben"]

        def speaking() -> bool:
            speaker.send(speaker.rtp(speaker.audio_ssrc, AUDIO, 0, b"\xf8x", level=20))
            return shown() == "ben"

        await until(speaking)
        for peer in (viewer, *people.values()):
            await peer.close()


async def test_a_listener_that_raises_does_not_stop_the_room() -> None:
    told: list[object] = []

    def change(one: object) -> None:
        told.append(one)
        raise RuntimeError("a fault elsewhere")

    def hear(one: object) -> None:
        raise RuntimeError("a fault elsewhere")

    room = MediaRoom("room", MediaConfig(udp_ports=(0, 0), addresses=("127.0.0.1",)), on_audio=hear, on_change=change)
    ada, ben = await join(room, "ada", slots=1), await join(room, "ben", slots=1)
    arrived: list[bytes] = []
    ben.agent.on_media = arrived.append
    await until(lambda: all(p.state == "connected" for p in room.stats().peers.values()))
    for _ in range(5):
        ada.send(ada.rtp(ada.audio_ssrc, AUDIO, 0, b"\xf8x"))
    await until(lambda: sum(data[1] & 0x7F == AUDIO for data in arrived) == 5)
    assert told
    await room.close()
    count = len(told)
    await ada.close()
    await ben.close()
    assert len(told) == count
