"""PROTOCOL.md names every message and every command there is."""

from pathlib import Path
from typing import get_args

import pytest

from deliberation.commands import Command
from server.signalling import messages

DOCUMENT = (Path(messages.__file__).parent / "PROTOCOL.md").read_text()


def types(union: object) -> list[str]:
    return [cls.model_fields["type"].default for cls in get_args(union)]


@pytest.mark.parametrize("kind", types(get_args(messages.ClientMessage)[0]) + types(get_args(messages.ServerMessage)[0]))
def test_every_message_is_described(kind: str) -> None:
    assert f"`{kind}`" in DOCUMENT


@pytest.mark.parametrize("kind", types(Command))
def test_every_command_is_described(kind: str) -> None:
    assert f"`{kind}`" in DOCUMENT
