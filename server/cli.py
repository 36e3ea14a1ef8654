"""`parley …`: every command, its arguments and its exit codes; the work is elsewhere.

Exit codes: 0 done, 1 refused or failed (one line says why and what to do), 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import IO, Any, NoReturn

from deliberation.errors import InvalidInput, ParleyError
from server import logs
from server.settings import Settings

OUTCOME_METHODS = (  # by name: the methods themselves take long to load
    "opinion-groups", "bridging", "agreement", "slate", "ballots", "change", "moral-graph", "cases", "cohorts", "credit",
)  # fmt: skip

Command = Callable[[argparse.Namespace, Settings], int]


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        settings = _settings(arguments)
        logs.configure(settings)
        run: Command = arguments.run
        return run(arguments, settings)
    except KeyboardInterrupt:
        return 130
    except ParleyError as error:
        return _fail(error.message, error.hint)
    except BrokenPipeError:
        return 1
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return _fail("The disk is full.", "Free some space, or use another --data-dir.")
        return _fail(f"{error.filename or 'The system'}: {error.strerror or error}.")
    except BaseExceptionGroup as group:
        known = _first(group)
        if known is None:
            raise
        return _fail(known.message, known.hint)


def _first(group: BaseExceptionGroup[BaseException]) -> ParleyError | None:
    for error in group.exceptions:
        if isinstance(error, ParleyError):
            return error
        if isinstance(error, BaseExceptionGroup) and (inner := _first(error)):
            return inner
    return None


def _fail(message: str, hint: str = "") -> int:
    print(f"parley: {message}" + (f" {hint}" if hint else ""), file=sys.stderr)
    return 1


def _settings(arguments: argparse.Namespace) -> Settings:
    from pydantic import ValidationError

    given = {name: getattr(arguments, name, None) for name in ("host", "port", "data_dir", "tls", "nodes", "redis_url")}
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = "PARLEY_" + "_".join(str(part) for part in first["loc"]).upper().removeprefix("PARLEY_")
        raise InvalidInput("bad_setting", f"{name}: {first['msg']}.", "docs/operator.md lists all settings.") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="parley", description="AI-facilitated small-group video deliberation, self-hosted end to end."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, run: Command, what: str, example: str) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name,
            help=what,
            description=what[0].upper() + what[1:] + ".",
            epilog=f"Example: {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(run=run)
        command.add_argument("--data-dir", type=Path, help="where everything is kept (default: ./data)")
        return command

    serve = add("serve", _serve, "run the server", "parley serve --design examples/ai-governance.yaml --tls auto")
    serve.add_argument(
        "--design", type=Path, action="append", default=[], help="a design file to serve; may be repeated"
    )
    _listening(serve)
    serve.add_argument("--nodes", type=int, help="how many processes share the rooms (default: 1)")

    add(
        "node",
        _node,
        "run one node of several; `parley serve --nodes` starts them itself",
        "parley serve --nodes 4",
    )

    worker = add(
        "worker",
        _worker,
        "run a speech recogniser that takes work from Redis",
        "parley worker --redis redis://host",
    )
    worker.add_argument("--redis", dest="redis_url", metavar="URL", help="the server's Redis (default: PARLEY_REDIS_URL)")

    demo = add("demo", _demo, "watch a whole deliberation of simulated speakers in about three minutes", "parley demo")
    demo.add_argument("--design", type=Path, default=Path("examples/demo.yaml"), help="the design to deliberate on")
    demo.add_argument("--size", type=int, default=4, help="how many simulated people (default: 4)")
    demo.add_argument("--keep", action="store_true", help="go on serving afterwards, so that the links can be opened")
    _listening(demo)

    simulate = add(
        "simulate",
        _simulate,
        "fill rooms with simulated speakers (real speech over real WebRTC)",
        "parley simulate --design examples/demo.yaml --rooms 2 --size 4",
    )
    simulate.add_argument("--design", type=Path, required=True, help="the design to deliberate on")
    simulate.add_argument("--rooms", type=int, default=1, help="how many rooms (default: 1)")
    simulate.add_argument("--size", type=int, default=4, help="people per room (default: 4)")
    simulate.add_argument(
        "--speech", type=Path, help="a folder of clips with manifest.json (default: the packaged ones)"
    )
    simulate.add_argument(
        "--server", help="a running server's URL (its admin token in PARLEY_ADMIN_TOKEN); default: its own"
    )

    imports = add(
        "import",
        _import,
        "import a recorded or on-site meeting",
        "parley import meeting.wav --deliberation ai-governance",
    )
    imports.add_argument("file", type=Path, help="an audio or video file")
    imports.add_argument("--deliberation", required=True, help="the deliberation it belongs to")
    imports.add_argument("--speakers", default="", help="names by channel, comma-separated (default: unknown)")
    imports.add_argument("--cohort", default="on-site", help="the cohort the group belongs to (default: on-site)")

    audit = add(
        "audit",
        _audit,
        "compare the facilitator on a transcript as it is and with speakers swapped",
        "parley audit ROOM",
    )
    audit.add_argument("room", help="a room's id")
    audit.add_argument("--json", action="store_true", help="print JSON")

    backup = add("backup", _backup, "back up a running server into one file", "parley backup parley.tar")
    backup.add_argument("file", type=Path, help="the file to write")

    restore = add(
        "restore", _restore, "restore a backup into an empty data folder", "parley restore parley.tar --data-dir new"
    )
    restore.add_argument("file", type=Path, help="the file to read")

    outcomes = add(
        "outcomes",
        _outcomes,
        "compute a collective outcome from plain files",
        "parley outcomes votes.csv --method opinion-groups",
    )
    outcomes.add_argument("files", type=Path, nargs="+", help="votes, comments, ballots, …: as the method reads them")
    outcomes.add_argument(
        "--method", required=True, metavar="METHOD", choices=OUTCOME_METHODS, help=", ".join(OUTCOME_METHODS)
    )
    outcomes.add_argument("--json", action="store_true", help="print JSON, with everything (else text to read)")
    outcomes.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the method")
    outcomes.add_argument("--groups-from", help="a column that names each participant's group, used as it is")

    export = add("export", _export, "write everything about a deliberation into a zip", "parley export ai-governance")
    export.add_argument("id", help="the deliberation's id")
    export.add_argument("--output", type=Path, help="the file to write (default: ID.zip)")

    check = add("check", _check, "check a design file", "parley check examples/ai-governance.yaml")
    check.add_argument("design", type=Path, help="the file")
    return parser


def _listening(command: argparse.ArgumentParser) -> None:
    command.add_argument("--host", help="address to listen on (default: 127.0.0.1; 0.0.0.0 for all)")
    command.add_argument("--port", type=int, help="port to listen on (default: 8080)")
    command.add_argument("--tls", choices=("off", "auto"), help="auto: https with a self-signed certificate")


# -- commands


def _serve(arguments: argparse.Namespace, settings: Settings) -> int:
    from server.app import Ready, serve
    from server.designs import read_design

    designs = [read_design(path) for path in arguments.design]

    def say(ready: Ready) -> None:
        print(f"\nParley listens on {ready.url}\n")
        for deliberation_id, links in ready.links.items():
            print(f"  {deliberation_id}")
            for name in ("join", "monitor", "review", "outcome"):
                print(f"    {name + ':':9}{links[name]}")
            print()
        if ready.admin_is_new or not ready.links:
            print(f"  organise: {ready.admin_url}\n")
        elif settings.admin_token is None:
            print(
                f"  organise: {ready.url}/#k=…  (the administrator's token is in {settings.data_dir / 'admin-token'})\n"
            )
        if settings.tls == "auto":
            print("  The certificate is self-signed: browsers ask once whether to go on.\n")
        print("Stop it with Ctrl-C.", flush=True)

    if settings.nodes > 1:
        from server.nodes import serve_nodes

        return _until_signal(lambda stop: serve_nodes(settings, designs, stop, say))
    return _until_signal(lambda stop: serve(settings, designs, stop, say))


def _node(arguments: argparse.Namespace, settings: Settings) -> int:
    from server.nodes import run_node

    return _until_signal(lambda stop: run_node(settings, stop))


def _worker(arguments: argparse.Namespace, settings: Settings) -> int:
    from server.children import ends_with_parent
    from server.parts import transcription_settings
    from server.worker import run_worker

    if settings.redis_url is None:
        raise InvalidInput("no_redis", "A worker takes its work from Redis.", "Give --redis, or set PARLEY_REDIS_URL, to the server's.")
    redis_url = settings.redis_url

    async def work(stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(ends_with_parent(stop.set))
            await run_worker(redis_url, transcription_settings(settings), stop)
            watch.cancel()

    return _until_signal(work)


def _demo(arguments: argparse.Namespace, settings: Settings) -> int:
    from server.demo import demo
    from server.designs import read_design

    design = read_design(arguments.design)
    return _until_signal(lambda stop: demo(settings, design, arguments.size, arguments.keep, stop))


def _simulate(arguments: argparse.Namespace, settings: Settings) -> int:
    from server.demo import simulate_rooms
    from server.designs import read_design

    design = read_design(arguments.design)
    return _until_signal(
        lambda stop: simulate_rooms(
            settings, design, arguments.rooms, arguments.size, arguments.speech, arguments.server, stop
        )
    )


def _import(arguments: argparse.Namespace, settings: Settings) -> int:
    from server.importing import import_meeting

    names = [name.strip() for name in arguments.speakers.split(",") if name.strip()]
    return asyncio.run(import_meeting(settings, arguments.file, arguments.deliberation, names, arguments.cohort))


def _audit(arguments: argparse.Namespace, settings: Settings) -> int:
    from server.auditing import audit_room

    return asyncio.run(audit_room(settings, arguments.room, as_json=arguments.json))


def _backup(arguments: argparse.Namespace, settings: Settings) -> int:
    from server.parts import database_url
    from server.storage.backup import backup

    report = asyncio.run(backup(database_url(settings), settings.data_dir, arguments.file))
    print(report)
    return 0


def _restore(arguments: argparse.Namespace, settings: Settings) -> int:
    from server.parts import database_url
    from server.storage.backup import restore

    report = asyncio.run(restore(arguments.file, database_url(settings), settings.data_dir))
    print(report)
    return 0


def _outcomes(arguments: argparse.Namespace, settings: Settings) -> int:
    from deliberation.outcomes.readable import as_text
    from deliberation.outcomes.registry import run

    parameters: dict[str, Any] = {}
    for item in arguments.set:
        name, separator, value = item.partition("=")
        if not separator:
            raise InvalidInput("bad_parameter", f"--set {item}: write NAME=VALUE.")
        try:
            parameters[name] = json.loads(value)
        except ValueError:
            parameters[name] = value
    if arguments.groups_from:
        parameters["groups_from"] = arguments.groups_from
    files = {path.name: _read_text(path) for path in arguments.files}
    result = run(arguments.method, files, parameters)
    text = json.dumps(result.as_dict(), ensure_ascii=False, indent=2) + "\n" if arguments.json else as_text(result)
    print(text, end="")
    return 0


def _export(arguments: argparse.Namespace, settings: Settings) -> int:
    from server.parts import database_url
    from server.storage.export import export_deliberation
    from server.storage.store import Store

    target: Path = arguments.output or Path(f"{arguments.id}.zip")

    async def export(out: IO[bytes]) -> None:
        store = await Store.open(database_url(settings), settings.data_dir / "audio")
        try:
            await export_deliberation(store, arguments.id, out)
        finally:
            await store.close()

    with tempfile.NamedTemporaryFile(dir=target.absolute().parent, suffix=".part", delete=False) as part:
        try:
            asyncio.run(export(part))
        except BaseException:
            os.unlink(part.name)
            raise
    os.replace(part.name, target)
    print(f"Written to {target}.")
    return 0


def _check(arguments: argparse.Namespace, settings: Settings) -> int:
    from server.designs import read_design

    design = read_design(arguments.design)
    minutes = sum(stage.minutes or 0 for stage in design.agenda)
    facilitation = {"model": "rules, and a language model where the server has one"}.get(
        design.facilitation.mode, design.facilitation.mode
    )
    print(f"{arguments.design} is a valid design: “{design.title}”.")
    print(
        f"  {len(design.agenda)} stages, about {minutes:g} minutes; groups of {design.groups.min_size} to"
        f" {design.groups.max_size}; privacy: {design.privacy.mode}; facilitation: {facilitation}."
    )
    return 0


# -- helpers


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InvalidInput("no_file", f"There is no file {path}.") from None
    except UnicodeDecodeError:
        raise InvalidInput("not_text", f"{path} is not UTF-8 text.") from None


def _until_signal(run: Callable[[asyncio.Event], Coroutine[Any, Any, int | None]]) -> int:
    """Run until done, SIGINT or SIGTERM; a second signal ends at once."""

    async def wrapped() -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def on_signal() -> None:
            if stop.is_set():
                _at_once()
            stop.set()

        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, on_signal)
        return await run(stop) or 0

    return asyncio.run(wrapped())


def _at_once() -> NoReturn:
    raise KeyboardInterrupt
