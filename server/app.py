"""The composition root: the only place that chooses implementations and puts a server together.

`serve` runs one node until it is told to stop (server/nodes.py runs several). Order matters: storage before rooms, rooms before the port opens (people must not meet a server
that does not know them yet), and the reverse at the end, within ten seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from aiohttp import web

from deliberation.design import Design
from deliberation.errors import ParleyError, Unavailable
from deliberation.events import AI, Payload
from deliberation.state import RoomState
from facilitator.agent import RoomFacilitator
from facilitator.llm import LanguageModel
from facilitator.meaning import Embedder
from facilitator.translation import Translator
from server import children, ice, metrics, tls
from server.bus import Bus
from server.clock import now
from server.health import Health
from server.http import keys
from server.http.auth import Auth, admin_token
from server.http.limits import Waiting
from server.http.routes import setup_routes
from server.http.security import MAX_BODY_BYTES, middlewares
from server.ids import new_id
from server.outcome_drafts import Drafter
from server.parts import database_url, media_config, transcription_settings
from server.peers import Peers, inner_application
from server.rooms.hearing import Hearing
from server.rooms.media import RoomMedia
from server.rooms.placement import Placement
from server.rooms.recording import Recording
from server.rooms.registry import Registry
from server.rooms.room import Room
from server.rooms.seating import PRACTICE_ROOMS, practice_busy
from server.settings import Settings
from server.signalling.handlers import Handlers
from server.signalling.session import HANDLERS, RELAY, STRANGERS, STRANGERS_ALL, STRANGERS_EACH, Session
from server.storage.store import Store
from server.tasks import end
from server.valkey import EmbeddedValkey
from server.work_streams import RedisWorkQueue
from transcription.decode import AudioPacket

log = structlog.get_logger()

STOP_SECONDS = 6.0
WEB_DIR = Path(__file__).parents[1] / "web" / "dist"


@dataclass(frozen=True, slots=True)
class Among:
    """What a node is given that is one of several of `parley serve --nodes`: its name, and the public port's socket, which all share."""

    node_id: str
    listening: socket.socket


@dataclass(frozen=True, slots=True)
class Ready:
    """What is known once the server listens."""

    url: str
    links: dict[str, dict[str, str]]  # deliberation id → join, monitor, review, outcome
    admin_url: str
    admin_is_new: bool


def language_model(settings: Settings) -> LanguageModel | None:
    """Return the configured language model, or None: rules, templates and extraction then do all the work."""
    if not settings.llm_model:
        return None
    from facilitator.openai_llm import open_model  # a second of loading that a server without a model is spared

    return open_model(
        base_url=settings.llm_base_url,
        model=settings.llm_model,
        api_key=settings.llm_api_key.get_secret_value() if settings.llm_api_key else None,
        timeout_seconds=settings.llm_timeout_seconds,
        max_input_chars=settings.llm_context_characters,
    )


def embedding_model(settings: Settings) -> Embedder | None:
    """Return the configured embedding model, or None."""
    if not settings.llm_embedding_model:
        return None
    from facilitator.openai_llm import OpenAIEmbedder

    return OpenAIEmbedder(
        settings.llm_base_url,
        settings.llm_embedding_model,
        settings.llm_api_key.get_secret_value() if settings.llm_api_key else None,
        deadline_seconds=settings.llm_timeout_seconds,
    )


def bind(settings: Settings) -> socket.socket:
    """Take the port. Raises `Unavailable("port_in_use")` with a way out."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((settings.host, settings.port))
    except OSError as error:
        taken.close()
        if error.errno == errno.EADDRINUSE:
            raise Unavailable(
                "port_in_use", f"Port {settings.port} is in use.", "Choose another one with --port, or stop its user."
            ) from None
        raise Unavailable(
            "cannot_listen", f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}."
        ) from None
    return taken


def _bind_inner(settings: Settings) -> socket.socket:
    """Take a free port for the other nodes."""
    family = socket.AF_INET6 if ":" in settings.node_host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    try:
        taken.bind((settings.node_host, 0))
    except OSError as error:
        taken.close()
        raise Unavailable("cannot_listen", f"Cannot listen on {settings.node_host}: {error.strerror}.") from None
    return taken


def base_url(settings: Settings, port: int) -> str:
    """Return how browsers reach this server."""
    if settings.public_url:
        return settings.public_url.rstrip("/")
    scheme = "https" if settings.tls == "auto" else "http"
    host = "localhost" if settings.host in ("127.0.0.1", "::1", "0.0.0.0", "::") else settings.host
    if settings.host in ("0.0.0.0", "::") and settings.tls == "auto":
        host = next((n for n in tls.local_names() if n.count(".") == 3 and not n.startswith("127.")), host)
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


async def serve(
    settings: Settings,
    designs: Sequence[Design],
    stop: asyncio.Event,
    on_ready: Callable[[Ready], None] = lambda _: None,
    among: Among | None = None,
) -> None:
    """Run a node until `stop` is set. Raises `ParleyError` where it cannot start.

    With an operator's Redis there may be other nodes, on this machine (`among`) or on others: rooms are shared out among all.
    """
    listening = among.listening if among else bind(settings)
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        if among is None:  # speech that an earlier run had to put aside; its rooms are gone from memory, so nothing asks for it
            await asyncio.to_thread(shutil.rmtree, settings.data_dir / "spill", ignore_errors=True)
        async with AsyncExitStack() as stack:
            redis_url = await stack.enter_async_context(live_bus(settings))
            store = await Store.open(database_url(settings), settings.data_dir / "audio")
            stack.push_async_callback(store.close)
            token, fresh = admin_token(settings)
            auth = await Auth.open(store, settings, now)
            bus = await stack.enter_async_context(Bus(redis_url))
            work = await stack.enter_async_context(RedisWorkQueue(redis_url, new_id()))
            companions = children.Companions(2 * PRACTICE_ROOMS)  # some end a moment after their room
            stack.push_async_callback(companions.close)
            model = language_model(settings)
            embedder = embedding_model(settings)
            port = listening.getsockname()[1]
            url = base_url(settings, port)
            local = f"{'https' if settings.tls == 'auto' else 'http'}://127.0.0.1:{port}"

            placement, inner = Placement.alone(), None
            if settings.redis_url is not None:
                inner = _bind_inner(settings)
                host, inner_port = inner.getsockname()[:2]
                node_url = f"http://{f'[{host}]' if ':' in host else host}:{inner_port}"
                placement = Placement(bus, among.node_id if among else new_id(), node_url, lambda: registry.load)
            node_key = await store.secret("node-key")
            peers = await stack.enter_async_context(Peers(placement, node_key))

            async def start_partner(participant_id: str, deliberation_id: str) -> None:
                token = await auth.issue("participant", deliberation_id, participant_id, days=1)
                environment = {"PARLEY_PARTNER_URL": local, "PARLEY_PARTNER_TOKEN": token}
                if not await companions.start(["simulation.partner"], environment):
                    raise practice_busy()

            def equip(room: Room) -> RoomMedia:
                hearing = Hearing(room, work, transcription_settings(settings), health.lost)
                recording = Recording(room, settings.data_dir / "audio", lambda: media)

                def on_audio(packet: AudioPacket) -> None:
                    hearing.push(packet)
                    recording.push(packet)

                media = RoomMedia(room, media_config(settings), on_audio)

                async def act(make: Callable[[RoomState], Sequence[Payload]]) -> None:
                    await room.ask(make, AI)

                room.parts = [media, hearing, recording]
                if model is not None and room.state.plan.transcription.translate:
                    room.parts.append(Translator(model, act, new_id, now))

                # With facilitation off, what is left of it is safety, and the summary by extraction.
                chosen = model if room.state.facilitation.mode == "model" else None
                room.facilitator = RoomFacilitator(chosen, act, new_id, now, embedder)
                return media

            registry = Registry(
                store,
                equip,
                start_partner,
                placement,
                peers,
                None if placement.is_alone else bus,
                settings.nodes if among else 1,
            )
            health = Health(
                bus,
                work,
                lambda: [
                    part.stats() for running in registry.rooms for part in running.room.parts if isinstance(part, Hearing)
                ],
            )
            registry.overviews.recognition = health.recognition
            handlers = Handlers(registry, auth.verify, lambda: ice.ice_servers(settings, now()))
            app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=middlewares(settings))
            app[keys.SETTINGS] = settings
            app[keys.STORE] = store
            app[keys.AUTH] = auth
            app[keys.ROOMS] = registry.seating
            app[keys.CLOCK] = now
            app[keys.PUBLIC_URL] = url
            app[keys.WEB_DIR] = WEB_DIR
            app[keys.READY] = health.problems
            app[HANDLERS] = handlers
            app[STRANGERS] = Waiting(STRANGERS_EACH, STRANGERS_ALL)
            if not placement.is_alone:
                app[RELAY] = peers.relay
            setup_routes(app)
            drafter = Drafter(app[keys.OUTCOMES], store, model, new_id, now) if model is not None else None

            async def serve_relayed(page: web.WebSocketResponse) -> None:
                await Session(page, settings.messages_per_second).run(handlers)

            if inner is not None:
                inside = inner_application(node_key, registry.calls, serve_relayed)
                inner_runner = web.AppRunner(inside, access_log=None, handle_signals=False, shutdown_timeout=1.0)
                await inner_runner.setup()
                stack.push_async_callback(inner_runner.cleanup)
                await web.SockSite(inner_runner, inner, backlog=256).start()

            links = {}
            for design in designs:
                await ensure(store, design)
                links[design.id] = await standing_links(auth, design.id, url)

            async with asyncio.TaskGroup() as group:
                rooms_ready = asyncio.Event()
                rooms = group.create_task(registry.run(rooms_ready))
                beside = [group.create_task(_purge(store)), group.create_task(health.watch())]
                if drafter is not None:
                    beside.append(group.create_task(drafter.run()))
                if settings.workers:
                    environment = worker_environment(settings, redis_url)
                    beside.append(
                        group.create_task(children.keep_running(["server", "worker"], environment, settings.workers))
                    )
                await rooms_ready.wait()
                runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.5)
                await runner.setup()
                context = tls.self_signed(settings.data_dir / "tls") if settings.tls == "auto" else None
                await web.SockSite(runner, listening, ssl_context=context, backlog=256).start()
                on_ready(Ready(url, links, f"{url}/#k={token}", fresh))
                gc.collect()
                gc.freeze()  # what start-up made stays: full collections would only look at it again, while media waits
                await stop.wait()
                log.info("stopping")
                registry.stop()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(STOP_SECONDS):
                        await asyncio.shield(rooms)
                rooms.cancel()
                for task in beside:
                    task.cancel()
                await runner.cleanup()
    finally:
        listening.close()


def worker_environment(settings: Settings, redis_url: str) -> dict[str, str]:
    """Return what a worker process needs to know."""
    return {
        "PARLEY_REDIS_URL": redis_url,
        "PARLEY_DATA_DIR": str(settings.data_dir.resolve()),
        "PARLEY_SPEECH_MODEL": settings.speech_model,
        "PARLEY_SPEECH_DEVICE": settings.speech_device,
        "PARLEY_WORKER_THREADS": str(settings.worker_threads),
        "PARLEY_LOG_FORMAT": settings.log_format,
        "PARLEY_LOG_LEVEL": settings.log_level,
    }


@asynccontextmanager
async def live_bus(settings: Settings) -> AsyncIterator[str]:
    """Give the operator's Redis, or an embedded Valkey that is kept running."""
    if settings.redis_url:
        yield settings.redis_url
        return
    valkey = EmbeddedValkey(settings.data_dir)
    url = await asyncio.to_thread(valkey.start)
    watch = asyncio.create_task(valkey.watch(), name="embedded valkey")
    try:
        yield url
    finally:
        await end(watch)
        await asyncio.to_thread(valkey.stop)


async def standing_links(auth: Auth, deliberation_id: str, url: str) -> dict[str, str]:
    """Return a deliberation's standing links, made when first asked for."""
    page = f"{url}/d/{deliberation_id}"
    return {
        "join": f"{page}/join#k={await auth.standing('invitation', deliberation_id)}",
        "monitor": f"{page}/monitor#k={await auth.standing('facilitator', deliberation_id)}",
        "review": f"{page}/review#k={await auth.standing('researcher', deliberation_id)}",
        "outcome": f"{page}/outcome",
    }


async def ensure(store: Store, design: Design) -> None:
    """Make a deliberation from a design file, or bring its design up to date for the rooms to come."""
    try:
        known = await store.deliberation(design.id)
    except ParleyError:
        await store.create_deliberation(design, now())
        return
    if known.design.opens_at is None and any(room.meeting for room in await store.rooms(design.id)):
        design = design.model_copy(update={"opens_at": None})  # it has begun, early perhaps: it stays open
    if known.design != design:
        await store.replace_design(design)


async def _purge(store: Store) -> None:
    """Erase, once an hour, what has been kept as long as its design says."""
    while True:
        try:
            await store.purge_expired(now())
        except ParleyError as error:
            log.warning("retention could not be applied", code=error.code)
        except Exception as error:  # the rooms go on, but the operator has to know: what should be gone is not
            metrics.FAILURES.labels(part="retention").inc()
            log.error("retention could not be applied", error=type(error).__name__)
        await asyncio.sleep(3600)
