"""The settings of each part of the server, as the server's own settings choose them. Read by `app`, the command line and the workers."""

from __future__ import annotations

from server.media.model import MediaConfig, TurnServer
from server.settings import Settings
from transcription.settings import TranscriptionSettings

CLOSE_SECONDS = 5.0  # how long a room that ends waits for its last words; a stopping server has ten seconds in all


def transcription_settings(settings: Settings) -> TranscriptionSettings:
    """Return the recogniser's settings, as the server's settings choose them."""
    return TranscriptionSettings(
        model=settings.speech_model,
        device=settings.speech_device,
        threads_per_worker=settings.worker_threads,
        cache_dir=settings.data_dir / "models",
        close_seconds=CLOSE_SECONDS,
        spill_dir=settings.data_dir / "spill",
    )


def media_config(settings: Settings) -> MediaConfig:
    """Return the media plane's settings."""
    stun, turn = settings.media_stun, settings.media_turn_url
    host, _, port = (stun or "").partition(":")
    return MediaConfig(
        udp_ports=(settings.udp_port_min, settings.udp_port_max),
        public_addresses=(settings.public_address,) if settings.public_address else (),
        stun_server=(host, int(port)) if stun else None,
        turn_server=TurnServer(turn, settings.media_turn_username, settings.media_turn_password.get_secret_value()) if turn else None,
    )


def database_url(settings: Settings) -> str:
    """Return the database's URL: SQLite in the data folder unless another is set."""
    return settings.database_url or f"sqlite:///{(settings.data_dir / 'parley.db').resolve()}"
