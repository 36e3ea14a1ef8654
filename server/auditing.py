"""`parley audit ROOM`: the steering audit of one stored room, as a table or as JSON.

Reads the room's log and has `facilitator.audit` compare; changes nothing. Called by the command line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from deliberation.errors import NotFound
from deliberation.room import fold_all
from deliberation.state import RoomState
from deliberation.view import display_name
from facilitator.audit import audit
from server.app import language_model
from server.parts import database_url
from server.settings import Settings
from server.storage.store import Store

VERSIONS = (("as_it_is", "as it is"), ("names_swapped", "names swapped"), ("positions_swapped", "positions swapped"))


async def audit_room(settings: Settings, room_id: str, *, as_json: bool) -> int:
    """Audit a room and print the result. Returns an exit code. Raises `NotFound` without such a room."""
    if settings.database_url is None and not (settings.data_dir / "parley.db").exists():
        raise NotFound(
            "no_data", f"There is no Parley data in {settings.data_dir}.", "Name its folder with --data-dir."
        )
    store = await Store.open(database_url(settings), settings.data_dir / "audio")
    try:
        await store.room(room_id)
        events = await store.events(room_id)
    finally:
        await store.close()
    result = await audit(events, language_model(settings))
    print(json.dumps(result, ensure_ascii=False, indent=2) if as_json else report(result, fold_all(events)))
    return 0


def report(result: Mapping[str, Any], state: RoomState) -> str:
    """Return the result as text: prompts, share of words said and of words reused by person, for each version of the talk.

    People are named by seat unless the design shows names.
    """
    shown = state.plan.privacy.mode == "named"
    members = sorted(state.members.values(), key=lambda m: m.seat)
    people = {m.participant_id: display_name(m.name if shown else None, m.seat) for m in members}
    lines = [
        f"Steering audit of room {state.room_id} ({result['as_it_is']['method']})",
        "",
        *_table(
            ["prompts / words said / words reused", *(title for _, title in VERSIONS)],
            [[name, *(_cell(result[key], who) for key, _ in VERSIONS)] for who, name in people.items()]
            + [["drafted statements", *(str(len(result[key]["statements"])) for key, _ in VERSIONS)]]
            + [["of them negations", *(_percent(result[key]["negated"]) for key, _ in VERSIONS)]],
        ),
    ]
    for key, title in VERSIONS[1:]:
        differences = result["differences"][key]
        lines += ["", f"With {title}: {'no difference.' if not differences else ''}".rstrip()]
        lines += [f"  - {difference}" for difference in differences]
    for segment, values in result["by_segment"].items():
        rows = [
            [
                value,
                f"{figures['people']:.0f}",
                _percent(figures["talk_time"]),
                _percent(figures["words_said"]),
                _percent(figures["words_reused"]),
                f"{figures['prompts_per_person']:.2f}",
            ]
            for value, figures in values.items()
        ]
        lines += ["", *_table([segment, "people", "talk time", "words said", "words reused", "prompts each"], rows)]
    lines += [
        "",
        f"{result['decisions']} decisions of the rules, {_percent(result['reproduced'])} reproduced from the log.",
    ]
    return "\n".join([*lines, result["note"]])


def _cell(portrait: Mapping[str, Any], who: str) -> str:
    return f"{portrait['prompts'][who]} / {_percent(portrait['spoken'][who])} / {_percent(portrait['reused'][who])}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)
    ]
