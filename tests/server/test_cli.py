"""The command line: help that shows how, one clear line for what goes wrong, exit codes, an orderly end."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deliberation.design import parse_design
from deliberation.outcomes.registry import METHODS
from server import cli, logs
from server.cli import main
from server.storage.store import Store
from server.valkey import EmbeddedValkey

STOP_SECONDS = 10.0
COMMANDS = sorted(
    {
        "serve",
        "node",
        "worker",
        "demo",
        "simulate",
        "import",
        "audit",
        "backup",
        "restore",
        "outcomes",
        "export",
        "check",
    }
)
DESIGN = {"id": "trams", "title": "Trams", "question": "What now?", "stages": [{"id": "talk", "title": "Talk"}]}


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings from outside, a folder of its own, and the tests' logging left alone."""
    for name in os.environ:
        if name.startswith(("PARLEY_", "OPENAI_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logs, "configure", lambda settings: None)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that fails; return the one line it says."""
    assert main(list(arguments)) == 1
    out = capsys.readouterr()
    lines = out.err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("parley: "), out.err
    assert out.out == ""
    return lines[0]


def clean() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith(("PARLEY_", "OPENAI_"))}


def stored(folder: Path) -> None:
    """Make a data folder with one deliberation in it."""

    async def make() -> None:
        store = await Store.open(f"sqlite:///{folder / 'parley.db'}")
        await store.create_deliberation(parse_design(DESIGN), 1.0)
        await store.close()

    asyncio.run(make())


def test_every_command_is_listed_here() -> None:
    (subcommands,) = cli._parser()._subparsers._group_actions  # type: ignore[union-attr]
    assert sorted(subcommands.choices or ()) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "Example: " in said and "parley" in said.split("Example: ")[1]


@pytest.mark.parametrize("arguments", [[], ["fly"], ["serve", "--fly"], ["import", "a.wav"], ["serve", "--port", "x"]])
def test_wrong_usage_is_exit_code_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: parley" in capsys.readouterr().err


def test_a_valid_design_is_exit_code_zero(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "d.yaml").write_text("title: T\nquestion: Q?\nstages: [{id: a, title: A}]\n")
    assert main(["check", "d.yaml"]) == 0
    assert "valid design" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("title: [", "line"),
        ("title: T\nquestion: Q?\n", "stages"),
        ("title: T\nquestion: Q?\nstages: [{id: a, title: A, minutes: -1}]\n", "minutes"),
        ("title: T\nquestion: Q?\nstages: [{id: a, title: A}]\ncolour: red\n", "colour"),
        ("- a list\n", "mapping"),
    ],
)
@pytest.mark.parametrize("command", ["check", "serve"])
def test_a_broken_design_file_is_named_with_its_mistake(
    command: str, content: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.yaml").write_text(content)
    arguments = ["check", "broken.yaml"] if command == "check" else ["serve", "--design", "broken.yaml"]
    line = refused(capsys, *arguments)
    assert "broken.yaml" in line and said in line


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "missing.yaml"],
        ["serve", "--design", "missing.yaml"],
        ["simulate", "--design", "missing.yaml"],
        ["demo", "--design", "missing.yaml"],
        ["import", "missing.wav", "--deliberation", "trams"],
        ["outcomes", "missing.csv", "--method", "opinion-groups"],
        ["restore", "missing.tar"],
    ],
)
def test_a_missing_file_is_named(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert "missing." in refused(capsys, *arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["export", "buses"], "deliberation"),
        (["audit", "nowhere"], "room"),
        (["import", "a.wav", "--deliberation", "buses"], "deliberation"),
    ],
)
def test_what_is_not_stored_is_said(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored(tmp_path / "data")
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    assert said in refused(capsys, *arguments)


@pytest.mark.parametrize("arguments", [["audit", "r"], ["import", "a.wav", "--deliberation", "trams"]])
def test_a_folder_without_data_is_not_made_into_one(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    assert "elsewhere" in refused(capsys, *arguments, "--data-dir", "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PARLEY_PORT", "many"),
        ("PARLEY_PORT", "70000"),
        ("PARLEY_LOG_LEVEL", "loud"),
        ("PARLEY_NODES", "0"),
        ("PARLEY_UDP_PORT_MIN", "12"),
    ],
)
def test_a_bad_setting_is_named(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    assert name in refused(capsys, "check", "d.yaml")


@pytest.mark.parametrize("nodes", ["1", "2"])
def test_a_port_in_use_is_named_with_a_way_out(nodes: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        line = refused(capsys, "serve", "--port", port, "--nodes", nodes)
    assert port in line and "--port" in line


def test_an_address_of_another_machine_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "192.0.2.1" in refused(capsys, "serve", "--host", "192.0.2.1", "--port", "0")


def test_too_few_udp_ports_for_the_nodes_are_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARLEY_UDP_PORT_MAX", "40019")
    assert "PARLEY_UDP_PORT" in refused(capsys, "serve", "--nodes", "4", "--port", "0")


@pytest.mark.parametrize("nodes", ["1", "2"])
def test_a_data_folder_in_use_is_said(nodes: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = EmbeddedValkey(tmp_path / "data")
    other.start()
    try:
        assert "--data-dir" in refused(capsys, "serve", "--port", "0", "--nodes", nodes)
    finally:
        other.stop()


def test_a_data_folder_that_cannot_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data").write_text("a file, not a folder")
    assert "data" in refused(capsys, "serve", "--port", "0")


def test_a_worker_takes_its_redis_from_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def run_worker(url: str, *_: object) -> None:
        asked.append(url)

    monkeypatch.setattr("server.worker.run_worker", run_worker)
    assert cli.main(["worker", "--redis", "redis://elsewhere:6379"]) == 0
    assert asked == ["redis://elsewhere:6379"]


def test_a_worker_needs_redis(capsys: pytest.CaptureFixture[str]) -> None:
    assert "PARLEY_REDIS_URL" in refused(capsys, "worker")


def test_a_node_is_started_by_serve_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--nodes" in refused(capsys, "node")


def _small_disk(folder: Path, size: str) -> list[str]:
    """Return a command prefix that mounts a tiny disk on `folder`, in a namespace of its own; empty where that cannot be."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return []
    folder.mkdir(exist_ok=True)
    script = f'mount -t tmpfs -o size={size} tmpfs "{folder}" && exec "$@"'
    for flags in (["-m"], ["-r", "-m"]):
        prefix = [unshare, *flags, "sh", "-c", script, "sh"]
        if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0:
            return prefix
    return []


@pytest.mark.parametrize("size", ["4k", "128k"])
def test_a_full_disk_is_one_clear_line(size: str, tmp_path: Path) -> None:
    prefix = _small_disk(tmp_path / "data", size)
    if not prefix:
        pytest.skip("no small file system can be mounted here")
    command = [sys.executable, "-m", "server", "serve", "--port", "0", "--data-dir", str(tmp_path / "data")]
    environment = {**clean(), "PARLEY_WORKERS": "0", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [*prefix, *command], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("parley: ") and "disk" in last and "full" in last, done.stderr


@pytest.mark.parametrize(("ending", "workers"), [(signal.SIGINT, "1"), (signal.SIGTERM, "0")])
def test_a_server_that_is_asked_to_stop_does_so_in_time(ending: signal.Signals, workers: str, tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text("id: d\ntitle: T\nquestion: Q?\nstages: [{id: a, title: A}]\n")
    command = [sys.executable, "-m", "server", "serve", "--port", "0", "--design", "d.yaml"]
    environment = {**clean(), "PARLEY_WORKERS": workers, "PYTHONPATH": str(Path(__file__).parents[2])}
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True, cwd=tmp_path)
    try:
        assert server.stdout is not None
        said = ""
        while "Stop it with Ctrl-C" not in said:
            line = server.stdout.readline()
            assert line, (tmp_path / "log").read_text()
            said += line
        assert "/d/d/join#k=" in said and "organise:" in said
        asked = time.monotonic()
        server.send_signal(ending)
        assert server.wait(60) == 0, (tmp_path / "log").read_text()
        assert time.monotonic() - asked < STOP_SECONDS
        assert "Traceback" not in (tmp_path / "log").read_text()
    finally:
        server.kill()
        server.wait()


def test_outcomes_are_text_to_read_or_json_and_help_names_every_method(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tuple(METHODS) == cli.OUTCOME_METHODS
    votes = [f"{i},x,{item},v{person},{1 if person % 2 else -1}" for person in range(8) for i, item in enumerate("abc")]
    (tmp_path / "votes.csv").write_text("\n".join(["timestamp,datetime,comment-id,voter-id,vote", *votes]) + "\n")
    arguments = ["outcomes", str(tmp_path / "votes.csv"), "--method", "agreement"]
    assert main(arguments) == 0
    assert capsys.readouterr().out.startswith("agreement (version ")
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["method"] == "agreement"
