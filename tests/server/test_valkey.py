from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from deliberation.errors import Unavailable
from server.valkey import EmbeddedValkey, redis_for


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    server = EmbeddedValkey(tmp_path / "data")
    server.start()
    yield server
    server.stop()


def ping(url: str) -> bool:
    client = redis.Redis.from_url(url)
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
    finally:
        client.close()


def process_id(url: str) -> int:
    client = redis.Redis.from_url(url)
    try:
        return int(client.info("server")["process_id"])  # type: ignore[index]
    finally:
        client.close()


def test_it_serves_on_a_private_socket_and_stops(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / "data")
    url = server.start()
    assert url.startswith("unix://") and ping(url)
    assert os.stat(url.removeprefix("unix://")).st_mode & 0o077 == 0
    server.stop()
    assert not ping(url)
    server.stop()


def test_a_second_server_on_the_same_folder_is_refused(valkey: EmbeddedValkey, tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        EmbeddedValkey(tmp_path / "data").start()
    assert caught.value.code == "data_dir_in_use"
    assert ping(valkey.url)


def test_a_tool_beside_a_running_server_shares_its_own(valkey: EmbeddedValkey, tmp_path: Path) -> None:
    with redis_for(tmp_path / "data", None, share=True) as url:
        assert url == valkey.url
    assert ping(valkey.url)


def test_a_server_that_dies_is_started_again(valkey: EmbeddedValkey) -> None:
    assert not valkey.ensure_running()
    os.kill(process_id(valkey.url), signal.SIGKILL)
    assert valkey.ensure_running()
    assert ping(valkey.url)


def test_a_server_whose_owner_was_killed_is_replaced(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from server.valkey import EmbeddedValkey\n"
        "server = EmbeddedValkey(Path(sys.argv[1])); print(server.start(), flush=True); time.sleep(60)"
    )
    owner = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    url = owner.stdout.readline().strip()
    orphan = process_id(url)
    owner.kill()
    owner.wait()
    assert ping(url)
    server = EmbeddedValkey(tmp_path)
    try:
        assert server.start() == url
        assert process_id(url) != orphan
    finally:
        server.stop()


def test_a_data_folder_with_a_very_long_name_works(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / ("long" * 30))
    try:
        assert ping(server.start())
    finally:
        server.stop()


def test_an_operators_own_redis_is_used_as_it_is(tmp_path: Path) -> None:
    with redis_for(tmp_path, "redis://elsewhere:6379/2") as url:
        assert url == "redis://elsewhere:6379/2"
    assert not list(tmp_path.iterdir())


def test_the_embedded_one_lives_as_long_as_it_is_needed(tmp_path: Path) -> None:
    with redis_for(tmp_path, None) as url:
        assert ping(url)
    assert not ping(url)
