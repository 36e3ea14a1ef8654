from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from deliberation.errors import Conflict, InvalidInput
from deliberation.events import ChatPosted, Event, RecordingChanged, UtteranceFinal
from server.storage import formats
from server.storage.export import FILES, FLAGGED, export_deliberation, flagged_rows
from server.storage.records import ParticipantRecord
from server.storage.released import Released, release
from server.storage.store import Store
from tests.deliberation.test_privacy import AFFILIATIONS, NAMES, SECRET_WORDS, plan, room

AUDIO = b"OggS and a voice"


async def store_with(tmp_path: Path, mode: str, events: list[Event] | None = None, **privacy: Any) -> Store:
    store = await Store.open(f"sqlite:///{tmp_path}/parley.db", tmp_path / "audio")
    await store.create_deliberation(plan(mode, **privacy), 1_699_999_000.0)
    for person, name in {**NAMES, "prt-else": "Ingeborg Lie"}.items():
        await store.add_participant(
            ParticipantRecord(person, "trial", 1_699_999_900.0, name, consent={"take_part": True}, room_id="room-x")
        )
    await store.append("room-x", 1, events or room(mode, **privacy))
    folder = tmp_path / "audio" / "room-x"
    folder.mkdir(parents=True)
    for file in ("prt-7f3a-1.ogg", "prt-c0de-1.ogg"):
        (folder / file).write_bytes(AUDIO)
    return store


async def whole_export(store: Store) -> bytes:
    out = io.BytesIO()
    await export_deliberation(store, "trial", out)
    return out.getvalue()


async def exported(tmp_path: Path, mode: str) -> dict[str, bytes]:
    store = await store_with(tmp_path, mode)
    try:
        with zipfile.ZipFile(io.BytesIO(await whole_export(store))) as archive:
            assert archive.testzip() is None
            return {name: archive.read(name) for name in archive.namelist()}
    finally:
        await store.close()


def table(files: dict[str, bytes], name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(files[name].decode())))


async def test_a_chatham_house_export_holds_no_name_id_affiliation_or_address_in_any_byte(tmp_path: Path) -> None:
    files = await exported(tmp_path, "chatham-house")
    banned = [word for word in SECRET_WORDS if word != "Ingeborg"] + ["participant-", "Ingeborg", "Goodrun"]
    for name, data in files.items():
        for word in banned:
            for form in (word, word.lower(), word.upper()):
                assert form.encode() not in data, (name, form)
        assert AUDIO not in data
    assert b"I work at the harbour" in files["rooms/room-3/transcript.txt"]
    assert table(files, "flagged-names.csv") == []


async def test_a_chatham_house_export_cannot_join_votes_or_talk_with_words(tmp_path: Path) -> None:
    files = await exported(tmp_path, "chatham-house")
    assert {row["speaker"] for row in table(files, "rooms/room-3/transcript.csv")} == {"Someone"}
    voters = {row["voter"] for row in table(files, "votes.csv")}
    answering = {row["respondent"] for row in table(files, "polls.csv")}
    people = {row["participant"] for row in table(files, "participants.csv")}
    assert voters and answering and people
    assert not voters & answering and not voters & people and not answering & people
    assert {row["quote"] for row in table(files, "participants.csv")} == {""}


async def test_a_pseudonym_export_says_who_by_seat_only(tmp_path: Path) -> None:
    files = await exported(tmp_path, "pseudonym")
    for name, data in files.items():
        for word in set(SECRET_WORDS) - AFFILIATIONS:
            assert word.encode() not in data, (name, word)
    assert {row["speaker"] for row in table(files, "rooms/room-3/transcript.csv")} == {
        "Participant 1",
        "Participant 2",
        "Participant 4",
    }
    assert [row["vote"] for row in table(files, "votes.csv")] == ["1", "-1", "0"]
    assert not any("audio" in name for name in files)


async def test_a_named_export_holds_the_recordings_of_those_who_agreed(tmp_path: Path) -> None:
    files = await exported(tmp_path, "named")
    assert files["rooms/room-3/audio/prt-7f3a-1.ogg"] == AUDIO
    assert "rooms/room-3/audio/prt-c0de-1.ogg" not in files
    [about] = json.loads(files["rooms/room-3/audio.json"])
    assert about == {"participant_id": "prt-7f3a", "file": "prt-7f3a-1.ogg", "offset_seconds": 5.0, "picture": False}
    assert yaml.safe_load(files["design.yaml"])["segments"]["employer"] == sorted(AFFILIATIONS)


async def test_a_named_export_holds_pictures_too_of_those_who_agreed(tmp_path: Path) -> None:
    events = room("named")
    at = events[-1].at
    filmed = [
        RecordingChanged(participant_id=p, recording=True, file=f"{p}.webm", started_at=at, picture=True)
        for p in ("prt-7f3a", "prt-c0de")
    ]
    events += [Event(events[-1].seq + i, at, "system", payload) for i, payload in enumerate(filmed, 1)]
    store = await store_with(tmp_path, "named", events)
    for p in ("prt-7f3a", "prt-c0de"):
        (tmp_path / "audio" / "room-x" / f"{p}.webm").write_bytes(AUDIO)
    with zipfile.ZipFile(io.BytesIO(await whole_export(store))) as archive:
        about = json.loads(archive.read("rooms/room-3/audio.json"))
        assert [(a["file"], a["picture"]) for a in about] == [("prt-7f3a-1.ogg", False), ("prt-7f3a.webm", True)]
        assert archive.read("rooms/room-3/audio/prt-7f3a.webm") == AUDIO
        assert "rooms/room-3/audio/prt-c0de.webm" not in archive.namelist()
    await store.close()


@pytest.mark.parametrize("mode", ["named", "pseudonym", "chatham-house"])
async def test_every_file_and_every_column_is_explained(tmp_path: Path, mode: str) -> None:
    files = await exported(tmp_path, mode)
    readme = files["README.md"].decode()
    for name in files:
        general = re.sub(r"room-\d+", "room-N", name)
        general = re.sub(r"audio/.+", "audio/FILE", general)
        assert general in FILES, f"{name} is not in the data dictionary"
        assert f"`{general}`" in readme
    explained = {**formats.COLUMNS, "flagged-names.csv": FLAGGED}
    for name in files:
        if name.endswith(".csv"):
            header = next(csv.reader(io.StringIO(files[name].decode())))
            assert header == list(explained[Path(name).name])
            assert all(f"- `{column}`: {explained[Path(name).name][column]}" in readme for column in header)


async def test_every_file_parses(tmp_path: Path) -> None:
    files = await exported(tmp_path, "pseudonym")
    base = "rooms/room-3/"
    events = [json.loads(line) for line in files[base + "events.jsonl"].splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["time"] == "2023-11-14T22:13:20.000Z"
    ledger = [json.loads(line) for line in files[base + "ledger.jsonl"].splitlines()]
    assert [entry["entry"] for entry in ledger] == ["call", "card"]
    summary = json.loads(files[base + "summary.json"])
    assert summary["sentences"][0]["cited"] == [
        {"utterance_id": "u1", "text": "I work at the harbour, and Participant 2 knows that"}
    ]
    said = json.loads(files[base + "transcript.json"])["utterances"]
    assert said[0]["words"][0] == {"text": "I", "start_seconds": 12.1, "end_seconds": 12.4, "probability": 0.93}
    assert said[3]["struck"] and said[3]["text"] == ""
    assert files[base + "transcript.vtt"].decode().startswith("WEBVTT\n\n00:00:12.100 --> 00:00:16.470\n<v Participant 1>I work")
    assert files[base + "transcript.srt"].decode().startswith("1\n00:00:12,100 --> 00:00:16,470\nParticipant 1: I work")
    assert files[base + "transcript.txt"].decode().splitlines()[0].startswith("[00:00:12] Participant 1: I work")


async def one(tmp_path: Path, text: str) -> Released:
    """Release a room in which somebody said, and wrote, one thing."""
    events = room("pseudonym", closed=False)
    at = events[-1].at + 1
    final = UtteranceFinal(utterance_id="odd", participant_id="prt-55aa", started_at=at, ended_at=at + 2, text=text)
    written = ChatPosted(message_id="odd-chat", participant_id="prt-55aa", text=text)
    events += [Event(len(events) + 1, at, "system", final), Event(len(events) + 2, at, "system", written)]
    store = await store_with(tmp_path, "pseudonym", events)
    try:
        return await release(store, "room-x")
    finally:
        await store.close()


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-2", "@sum"])
async def test_no_spreadsheet_runs_what_somebody_said(tmp_path: Path, text: str) -> None:
    rows = list(csv.reader(io.StringIO(formats.transcript_csv(await one(tmp_path, text)))))
    assert rows[-1][-1] == f"'{text}"


async def test_captions_survive_what_looks_like_markup(tmp_path: Path) -> None:
    released = await one(tmp_path, "a <b> & c --> d\n\nNOTE")
    vtt, _ = formats.transcript(released, "vtt")
    srt, _ = formats.transcript(released, "srt")
    assert vtt.rstrip().endswith("<v Participant 4>a &lt;b&gt; &amp; c --&gt; d NOTE")
    assert srt.rstrip().endswith("Participant 4: a <b> & c → d NOTE")
    assert vtt.count("-->") == srt.count("-->") == 4
    with pytest.raises(InvalidInput):
        formats.transcript(released, "docx")


async def test_other_names_are_flagged_for_a_human(tmp_path: Path) -> None:
    released = await one(tmp_path, "Yesterday I met Bjornar and the harbour master.")
    assert [(flag.utterance_id, flag.word) for flag in released.flags()] == [("u5", "Bjornar")]
    assert flagged_rows(released) == ["3,u5,Bjornar\r\n"]


async def test_a_running_room_is_not_released_under_the_chatham_house_rule(tmp_path: Path) -> None:
    store = await store_with(tmp_path, "chatham-house", room("chatham-house", closed=False))
    with pytest.raises(Conflict) as early:
        await release(store, "room-x")
    with pytest.raises(Conflict) as nothing:
        await whole_export(store)
    assert (early.value.code, nothing.value.code) == ("room_running", "nothing_to_export")
    await store.close()


async def test_a_room_keeps_the_privacy_that_its_people_agreed_to(tmp_path: Path) -> None:
    store = await store_with(tmp_path, "chatham-house")
    await store.replace_design(plan("named"))
    released = await release(store, "room-x")
    assert released.mode == "chatham-house" and "Gudrun" not in str(released.events)
    assert b"Gudrun" not in await whole_export(store)
    await store.close()


async def test_an_experiment_leaves_with_its_arms_and_the_drop_out_of_each(tmp_path: Path) -> None:
    rows = [
        (1, 1, "rules", "rules", "", 7, 5, 1, 2, 0.2, 3),
        (2, 1, "model", "model", "short", 8, 4, 0, 0, 0.2, 3),
        (3, 1, "rules", "rules", "", 9, 4, 0, 0, 0.2, 3),
        (4, 1, "model", "model", "short", 8, 4, 0, "", 0.2, 3),
    ]
    assert list(formats.arm_rows(rows)) == [("model", 2, 8, 0, 0.0), ("rules", 2, 8, 2, 0.25)]
    for mode, dropped in (("pseudonym", "1"), ("chatham-house", "")):  # one left before the end; under Chatham House nobody is told
        first, *others = room(mode)
        opened = first.payload.model_copy(update={"arm": "terse", "seed": 5})
        folder = tmp_path / mode
        folder.mkdir()
        store = await store_with(folder, mode, [Event(1, first.at, first.actor, opened), *others])
        try:
            with zipfile.ZipFile(io.BytesIO(await whole_export(store))) as archive:
                files = {name: archive.read(name) for name in archive.namelist()}
        finally:
            await store.close()
        (one,) = table(files, "rooms.csv")
        assert (one["arm"], one["seed"], one["joined"], one["moved"], one["dropped"]) == ("terse", "5", "4", "0", dropped)
        (arm,) = table(files, "arms.csv")
        assert (arm["arm"], arm["rooms"], arm["drop_out"]) == ("terse", "1", "0.25" if dropped else "")
