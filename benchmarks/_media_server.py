"""Serves media rooms over a bare HTTP signalling, for `media.py`: nothing but the media plane of Parley, or stock aiortc."""

from __future__ import annotations

import asyncio
import gc
import resource
import sys

from aiohttp import web


async def parley() -> web.Application:
    """Rooms of `server.media`."""
    import logging

    import structlog

    from server.media import MediaConfig, MediaRoom

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    rooms: dict[str, MediaRoom] = {}
    heard = [0]

    def hear(packet: object) -> None:
        heard[0] += 1

    async def join(request: web.Request) -> web.Response:
        name = request.match_info["room"]
        if name not in rooms:
            rooms[name] = MediaRoom(
                name,
                MediaConfig(udp_ports=(0, 0), addresses=("127.0.0.1",)),
                on_audio=hear,
                on_change=lambda change: None,
            )
        return web.Response(text=await rooms[name].connect(request.match_info["member"], await request.text()))

    async def stats(request: web.Request) -> web.Response:
        peers = [p for room in rooms.values() for p in room.stats().peers.values()]
        return web.json_response(
            {
                "connected": sum(p.state == "connected" for p in peers),
                "errors": sum(p.send_errors + p.unauthentic + p.malformed for p in peers),
                "heard": heard[0],
            }
        )

    app = web.Application()
    app.add_routes([web.post("/{room}/{member}", join), web.get("/stats", stats)])
    return app


async def relay() -> web.Application:
    """Stock aiortc: RTCPeerConnection per member, MediaRelay from everyone to everyone (decoded and encoded again)."""
    from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
    from aiortc.contrib.media import MediaRelay

    relays: dict[str, tuple[MediaRelay, list[tuple[str, object]], list[RTCPeerConnection]]] = {}

    async def join(request: web.Request) -> web.Response:
        media_relay, tracks, peers = relays.setdefault(request.match_info["room"], (MediaRelay(), [], []))
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        peers.append(peer)
        await peer.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
        slots = {kind: [t for t in peer.getTransceivers() if t.kind == kind][1:] for kind in ("audio", "video")}
        for kind, track in tracks:
            slots[kind].pop(0).sender.replaceTrack(media_relay.subscribe(track))  # type: ignore[arg-type]
        tracks += [(t.kind, t.receiver.track) for t in peer.getTransceivers()[:2]]
        for transceiver in peer.getTransceivers()[2:]:
            transceiver.direction = "sendonly"
        await peer.setLocalDescription(await peer.createAnswer())
        return web.Response(text=peer.localDescription.sdp)

    app = web.Application()
    app.add_routes([web.post("/{room}/{member}", join)])
    return app


async def main(kind: str) -> None:
    """Serve on a free port, which is printed."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    app = await (parley() if kind == "parley" else relay())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    gc.freeze()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
