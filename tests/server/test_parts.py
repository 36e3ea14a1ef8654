"""What the media plane is told of the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from server.media import TurnServer
from server.parts import media_config
from server.settings import Settings


def settings(**values: Any) -> Settings:
    return Settings(data_dir=Path("data"), _env_file=None, **values)  # type: ignore[call-arg]


def test_without_settings_the_server_asks_nobody_for_its_address() -> None:
    config = media_config(settings())
    assert (config.stun_server, config.turn_server, config.public_addresses) == (None, None, ())


def test_a_server_behind_a_nat_asks_its_stun_server_and_uses_its_relay() -> None:
    config = media_config(
        settings(
            media_stun="stun.example.org:3478", media_turn_url="turn:relay.example.org:3478", media_turn_username="parley",
            media_turn_password="secret",
        )
    )  # fmt: skip
    assert config.stun_server == ("stun.example.org", 3478)
    assert config.turn_server == TurnServer("turn:relay.example.org:3478", "parley", "secret")


@pytest.mark.parametrize("values", [{"media_stun": "stun.example.org"}, {"media_turn_url": "relay.example.org"}])
def test_a_malformed_address_is_refused_at_the_start(values: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        settings(**values)
