"""`parley audit ROOM` on a stored room."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deliberation.design import parse_design
from deliberation.errors import NotFound
from deliberation.events import (
    Event,
    MemberJoined,
    Payload,
    RoomClosed,
    RoomOpened,
    SpeechEnded,
    StageStarted,
    UtteranceFinal,
)
from server.auditing import audit_room
from server.settings import Settings
from server.storage.store import Store

DESIGN = {
    "id": "trams",
    "title": "Trams",
    "question": "What should the trams do?",
    "stages": [{"id": "talk", "title": "Talk"}],
    "segments": {"district": ["north", "south"]},
}
SAID = (
    ("ann", "Trams should run all night because nurses work late."),
    ("bob", "Night trams cost more than the city can pay for."),
    ("cyn", "A single ticket should be valid for trams and buses alike."),
)


async def stored(folder: Path, mode: str) -> Settings:
    """Store one closed room in which three people have said a sentence each."""
    design = parse_design({**DESIGN, "privacy": {"mode": mode}})
    payloads: list[tuple[float, Payload]] = [
        (0.0, RoomOpened(deliberation_id="trams", room_id="r1", number=1, design=design.model_dump(mode="json")))
    ]
    for seat, (who, _) in enumerate(SAID, 1):
        district = "north" if seat < 3 else "south"
        joined = MemberJoined(participant_id=who, seat=seat, name=who.title(), segments={"district": district})
        payloads.append((0.0, joined))
    payloads.append((0.0, StageStarted(stage_id="talk", index=0, ends_at=None)))
    for index, (who, text) in enumerate(SAID):
        start = 10.0 * index
        final = UtteranceFinal(
            utterance_id=f"u{index}", participant_id=who, started_at=start, ended_at=start + 5, text=text
        )
        payloads.append((start + 5, final))
        payloads.append((start + 5, SpeechEnded(participant_id=who, started_at=start, ended_at=start + 5)))
    payloads.append((60.0, RoomClosed(reason="finished")))
    store = await Store.open(f"sqlite:///{folder / 'parley.db'}")
    await store.create_deliberation(design, 0.0)
    await store.append("r1", 1, [Event(seq, at, "system", payload) for seq, (at, payload) in enumerate(payloads, 1)])
    await store.close()
    return Settings(data_dir=folder)


async def test_the_table_shows_each_person_in_each_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await audit_room(await stored(tmp_path, "named"), "r1", as_json=False) == 0
    said = capsys.readouterr().out
    assert "as it is" in said and "names swapped" in said and "positions swapped" in said
    assert all(name in said for name in ("Ann", "Bob", "Cyn"))
    assert said.count("no difference") == 2, said
    assert "north" in said and "how people would respond" in said


async def test_names_are_left_out_unless_the_design_shows_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await audit_room(await stored(tmp_path, "pseudonym"), "r1", as_json=False)
    said = capsys.readouterr().out
    assert "Participant 1" in said and not any(name in said for name in ("Ann", "Bob", "Cyn"))


async def test_json_can_be_read_by_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await audit_room(await stored(tmp_path, "named"), "r1", as_json=True)
    result = json.loads(capsys.readouterr().out)
    assert result["as_it_is"]["statements"] and result["reproduced"] == 1.0
    assert set(result["as_it_is"]["spoken"]) == {"ann", "bob", "cyn"}


async def test_an_unknown_room_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await audit_room(await stored(tmp_path, "named"), "r2", as_json=False)
