"""Every setting of a Parley server, frozen, with its unit in the name. Environment variables carry the prefix `PARLEY_`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Settings(BaseSettings):
    """Read from the environment, then overridden by the command line. `docs/operator.md` lists all of them."""

    model_config = SettingsConfigDict(env_prefix="PARLEY_", frozen=True, extra="ignore", env_ignore_empty=True)

    # where
    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    public_url: str | None = None  # how browsers reach the server; derived from host and port when unset
    data_dir: Path = Path("data")
    tls: Literal["off", "auto"] = "off"
    trusted_proxies: int = Field(0, ge=0)  # how many reverse proxies stand in front (X-Forwarded-For)
    nodes: int = Field(1, ge=1, le=64)
    node_host: str = (
        "127.0.0.1"  # where other nodes reach this one; a private address where several machines share the rooms
    )

    # who may
    admin_token: SecretStr | None = None
    secret_key: SecretStr | None = None  # signs links; made and kept in the data folder when unset
    link_days: int = Field(90, ge=1, le=3650)
    joins_per_minute: int = Field(60, ge=1)  # per address
    messages_per_second: float = Field(20, gt=0)  # per socket, with a burst of three seconds' worth

    # storage and bus
    database_url: str | None = None  # SQLAlchemy async URL; SQLite in the data folder when unset
    redis_url: str | None = None  # an embedded Valkey is started when unset

    # media
    udp_port_min: int = Field(40000, ge=1024, le=65535)
    udp_port_max: int = Field(49999, ge=1024, le=65535)
    public_address: str | None = None  # announced as a host candidate, for servers behind NAT
    stun_urls: Annotated[tuple[str, ...], NoDecode] = ()
    turn_urls: Annotated[tuple[str, ...], NoDecode] = ()
    turn_secret: SecretStr | None = None  # shared with coturn (use-auth-secret)
    turn_ttl_seconds: int = Field(3600, ge=60)
    media_stun: str | None = Field(None, pattern=r"^[^:\s]+:\d{1,5}$")  # host:port this server asks for its own public address
    media_turn_url: str | None = Field(None, pattern=r"^turns?:")  # a relay that this server itself is reached by
    media_turn_username: str = ""
    media_turn_password: SecretStr = SecretStr("")

    # speech
    speech_model: str = "base"  # base, tiny.en, a CTranslate2 folder or a hub name
    speech_device: Literal["auto", "cpu", "cuda"] = "auto"
    workers: int = Field(1, ge=0, le=64)  # worker processes started by `parley serve`; 0: they run elsewhere
    worker_threads: int = Field(1, ge=1)

    # language model
    llm_base_url: str | None = Field(None, validation_alias=AliasChoices("PARLEY_LLM_BASE_URL", "OPENAI_BASE_URL"))
    llm_model: str | None = None
    llm_api_key: SecretStr | None = Field(None, validation_alias=AliasChoices("PARLEY_LLM_API_KEY", "OPENAI_API_KEY"))
    llm_embedding_model: str | None = None  # on the same server; without it the citation check compares words alone
    llm_timeout_seconds: float = Field(8.0, gt=0)
    llm_context_characters: int = Field(24_000, ge=4_000)  # how much a prompt may hold; about four characters a token

    # logs
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("stun_urls", "turn_urls", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(url.strip() for url in value.split(",") if url.strip()) if isinstance(value, str) else value
