"""The server behind a relay of its own: coturn stands between it and a member."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
from collections.abc import AsyncIterator

import pytest

from benchmarks._light_peer import AUDIO, LightPeer, join
from server.media import MediaConfig, TurnServer
from tests.server.media.clients import media_room, until

TURNSERVER = shutil.which("turnserver")


@pytest.fixture
async def turn_server() -> AsyncIterator[TurnServer]:
    assert TURNSERVER is not None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        TURNSERVER, "-n", "--no-cli", "--no-tls", "--no-dtls", "--listening-ip=127.0.0.1", f"--listening-port={port}",
        "--relay-ip=127.0.0.1", "--allow-loopback-peers", "--lt-cred-mech", "--user=room:secret", "--realm=test",
        "--log-file=stdout", "--no-software-attribute", "--pidfile=",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(20):
            while True:
                # It listens on TCP as well, which shows that it is there.
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                except OSError:
                    await asyncio.sleep(0.1)
        yield TurnServer(f"turn:127.0.0.1:{port}?transport=udp", "room", "secret")
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.skipif(TURNSERVER is None, reason="coturn is not installed")
async def test_a_member_that_reaches_only_the_relay_hears_and_is_heard(turn_server: TurnServer) -> None:
    config = MediaConfig(udp_ports=(0, 0), addresses=("127.0.0.1",), turn_server=turn_server, gather_seconds=5)
    async with media_room(config) as (room, heard):
        ada = await join(room, "ada", slots=1)
        far = LightPeer(slots=1)
        answer = await room.connect("far", await far.offer())
        assert " typ relay " in answer
        await far.connect(re.sub(r"a=candidate:.* typ host\r\n", "", answer))
        await until(lambda: all(p.state == "connected" for p in room.stats().peers.values()))
        arrived: list[bytes] = []
        far.agent.on_media = arrived.append
        for _ in range(20):
            ada.send(ada.rtp(ada.audio_ssrc, AUDIO, 0, b"\xf8near"))
            far.send(far.rtp(far.audio_ssrc, AUDIO, 0, b"\xf8far"))
        await until(lambda: sum(p.participant_id == "far" for p in heard.audio) == 20)
        await until(lambda: sum(data[1] & 0x7F == AUDIO for data in arrived) == 20)
        await far.close()
        await ada.close()
